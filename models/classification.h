// Learning one label a text.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "models/classifier.h"
#include "models/training.h"

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
/// Accuracy, then loss.
std::vector<Measure> measures(const ClassifierScore& score);

/// The same numbers for any number of workers.
ClassifierScore evaluate(const TextClassifier& model, const LabelledTexts& data, Workers& workers);

/// The task of models/training.h. Refers to all that it is made of.
class ClassificationTask {
 public:
  ClassificationTask(SavedClassifier& classifier, const LabelledTexts& training,
                     const LabelledTexts& validation, Index batch)
      : classifier_(classifier), training_(training), validation_(validation), batch_(batch) {}

  std::vector<Parameter*> parameters() { return nn::parameters(classifier_.model); }
  ModelCard card() const { return card_of(classifier_.options, classifier_.vocabulary); }
  const char* unit() const { return "words"; }
  Index units() const { return training_.words(); }
  Index begin_epoch(Generator& order);
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;

 private:
  SavedClassifier& classifier_;
  const LabelledTexts& training_;
  const LabelledTexts& validation_;
  Index batch_;
  std::vector<std::vector<int>> batches_;
};

}  // namespace unroll::models
