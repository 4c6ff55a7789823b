// Training and measuring a text classifier on several threads.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/classifier.h"
#include "models/parallel.h"
#include "models/progress.h"

namespace unroll::models {

/// Texts as word ids, and the class of each.
struct LabelledTexts {
  std::vector<std::vector<int>> texts;
  std::vector<int> labels;

  std::size_t size() const { return texts.size(); }
  std::vector<int> lengths() const;
  Index words() const;
};

struct ClassifierScore {
  double loss = 0;      // mean cross entropy, nats
  double accuracy = 0;  // share of 1
  std::vector<int> predicted;
};

/// The same numbers for any number of workers.
ClassifierScore evaluate(const TextClassifier& model, const LabelledTexts& data, Workers& workers);

struct ClassifierTraining {
  int epochs = 4;
  Index batch = 64;
  double learning_rate = 3e-3;  // of Adam at the start; falls along half a cosine
  double clip = 5;              // largest global norm of the gradient
  std::uint64_t seed = 1;
};

struct ClassifierEpoch {
  int epoch = 0;                  // from 1
  double loss = 0, accuracy = 0;  // over the training texts as they passed
  double validation_loss = 0, validation_accuracy = 0;
  double seconds = 0;  // since training began
};

/// Trains with Adam; each batch is split among the workers. After each epoch the model is validated and
/// `report` called. Leaves the model as it was after the epoch of the best validation accuracy.
std::vector<ClassifierEpoch> train(TextClassifier& model, const LabelledTexts& training,
                                   const LabelledTexts& validation, const ClassifierTraining& options,
                                   Workers& workers, Progress& progress,
                                   const std::function<void(const ClassifierEpoch&)>& report);

}  // namespace unroll::models
