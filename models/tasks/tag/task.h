// Learning the tags of words in sentences.
#pragma once
#include <vector>

#include "models/tasks/epoch_batches.h"
#include "models/tasks/tag/data.h"
#include "models/tasks/word_dropout.h"
#include "models/training/training.h"

namespace unroll::models {

struct TaggerScore {
  double loss = 0;                          // mean over the words, nats
  double accuracy = 0;                      // share of 1 of the words
  double unknown_accuracy = 0;              // the same over words that the vocabulary does not have
  Index words = 0, unknown = 0;             // how many
  std::vector<std::vector<int>> predicted;  // of each sentence
};
/// F1 of spans first, if the tags are BIO; then accuracies and loss.
std::vector<Measure> measures(const TaggerScore& score, const TaggedData& data, const LabelSet& tags);
/// The same numbers for any number of workers. Data without tags have predictions only.
TaggerScore evaluate(const SavedTagger& tagger, const TaggedData& data, Workers& workers);

/// A task (models/training/task.h). Refers to all that it is made of.
class TaggingTask {
 public:
  TaggingTask(SavedTagger& tagger, const TaggedData& training, const TaggedData& validation,
              const TrainingOptions& run, const WordDropout& word_dropout = {})
      : tagger_(tagger),
        training_(training),
        validation_(validation),
        batches_(run.batch),
        word_dropout_(word_dropout) {}

  std::vector<NamedParameter> parameters() { return nn::parameters(tagger_); }
  ModelCard card() const { return card_of(tagger_); }
  const char* unit() const { return "words"; }
  Index units() const { return training_.word_count(); }
  std::uint64_t digest() const;
  Index begin_epoch(Generator& order) { return batches_.begin_epoch(training_.lengths(), order); }
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;

 private:
  SavedTagger& tagger_;
  const TaggedData& training_;
  const TaggedData& validation_;
  EpochBatches batches_;
  WordDropout word_dropout_;
};

}  // namespace unroll::models
