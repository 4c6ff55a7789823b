// Learning the labels of sequences.
#pragma once
#include <span>
#include <vector>

#include "models/tasks/classify/saved.h"
#include "models/tasks/epoch_batches.h"
#include "models/tasks/word_dropout.h"
#include "models/training/training.h"

namespace unroll::models {

struct ClassifierScore {
  double loss = 0;      // mean over the sequences, nats; of many labels the sum over them
  double accuracy = 0;  // share of 1 of the sequences whose labels are all right
  double f1 = 0;        // micro-averaged over the labels; for many labels
  std::vector<std::vector<int>> predicted;
  std::vector<double> probability;  // of what is predicted: the label, or just these of many
};
/// The accuracy, or the F1 of many labels, first.
std::vector<Measure> measures(const ClassifierScore& score, bool many_labels);

/// The same numbers for any number of workers. Data without labels have predictions only.
ClassifierScore evaluate(const SavedClassifier& classifier, const LabelledSequences& data, Workers& workers);
/// The same for an ensemble, whose logits are averaged. Throws Error for classifiers that were not trained on
/// the same data: other labels, another vocabulary, another scaling.
ClassifierScore evaluate(std::span<const SavedClassifier> ensemble, const LabelledSequences& data,
                         Workers& workers);

/// A task (models/training/task.h). Refers to all that it is made of.
class ClassificationTask {
 public:
  ClassificationTask(SavedClassifier& classifier, const LabelledSequences& training,
                     const LabelledSequences& validation, const TrainingOptions& run,
                     const WordDropout& word_dropout = {})
      : classifier_(classifier),
        training_(training),
        validation_(validation),
        batches_(run.batch),
        word_dropout_(word_dropout) {}

  std::vector<NamedParameter> parameters() { return nn::parameters(classifier_); }
  ModelCard card() const { return card_of(classifier_); }
  const char* unit() const { return "steps"; }
  Index units() const { return training_.steps(); }
  std::uint64_t digest() const;
  Index begin_epoch(Generator& order) { return batches_.begin_epoch(training_.lengths(), order); }
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;

 private:
  SavedClassifier& classifier_;
  const LabelledSequences& training_;
  const LabelledSequences& validation_;
  EpochBatches batches_;
  WordDropout word_dropout_;
};

}  // namespace unroll::models
