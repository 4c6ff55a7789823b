// Which keys sound next? A recurrent net over the steps of a piece, and a question of its own for each key.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/data/piano_rolls.h"
#include "models/tasks/encoder.h"
#include "models/tasks/epoch_batches.h"
#include "models/training/saved.h"
#include "models/training/training.h"

namespace unroll::models {

struct NoteModel {
  Encoder recurrent;
  nn::Linear output;
  nn::Dropout dropout;

  /// Dropout: between layers, and before the output.
  NoteModel(const NetOptions& options, Generator& generator);
  /// Keys that sound, [N, 88] of zeros and ones in packed order, to logits of those that sound next.
  Var operator()(Var keys, const Layout& layout, Generator* noise = nullptr) const;
  void members(Members& m) { m("recurrent", recurrent), m("output", output); }
};

struct AboutNoteModel {
  static constexpr const char* kind = "note model";
  NetOptions options;

  template <class F>
  void contents(F&& each) {
    without(options, {"embed", "bidirectional", "pool"}).settings(each);
  }
  NoteModel make(Generator& generator) const { return NoteModel(options, generator); }
};
using SavedNoteModel = Saved<AboutNoteModel>;

/// The negative log likelihood of a step given those before it, all keys added up, in nats; the mean over all
/// steps but the first of each piece. The same for any number of workers.
double evaluate(const NoteModel& model, std::span<const KeySteps> pieces, Workers& workers);
std::vector<Measure> measures(double loss);

/// A task (models/training/task.h). Refers to all that it is made of.
class NoteTask {
 public:
  NoteTask(SavedNoteModel& saved, std::span<const KeySteps> training, std::span<const KeySteps> validation,
           const TrainingOptions& run)
      : saved_(saved), training_(training), validation_(validation), batches_(run.batch) {}

  std::vector<NamedParameter> parameters() { return nn::parameters(saved_.net); }
  ModelCard card() const { return card_of(saved_); }
  const char* unit() const { return "steps"; }
  Index units() const;
  std::uint64_t digest() const;
  Index begin_epoch(Generator& order);
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;

 private:
  SavedNoteModel& saved_;
  std::span<const KeySteps> training_, validation_;
  EpochBatches batches_;
};

}  // namespace unroll::models
