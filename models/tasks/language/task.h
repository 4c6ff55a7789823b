// Learning to predict a text: it is cut into streams that are read side by side, and each worker reads its
// own.
#pragma once
#include <span>
#include <vector>

#include "models/data/batches.h"
#include "models/tasks/language/model.h"
#include "models/training/training.h"

namespace unroll::models {

/// Mean cross entropy in nats a token over a text read in `streams` pieces, each from a zero state; the same
/// for any number of workers. With one stream every token is predicted from all that came before it. 0
/// streams: up to 16, each of at least 4096 tokens if there are so many. Throws Error for a text of fewer
/// than two tokens.
double evaluate(const LanguageModel& model, std::span<const int> text, Workers& workers, Index streams = 0);
/// Loss, perplexity, and for characters the bits of one.
std::vector<Measure> measures(double loss, Level level);

/// What is differentiated: the mean over all tokens of a window, or their sum over the time steps, averaged
/// over the streams (Zaremba, Sutskever and Vinyals 2014).
enum class LossOver { tokens, streams };
inline constexpr Word<LossOver> kLosses[] = {{"mean", LossOver::tokens}, {"sum", LossOver::streams}};

struct LanguageTaskOptions {
  LossOver loss = LossOver::tokens;

  template <class F>
  void settings(F&& each) {
    each("loss", loss, kLosses,
         "averaged over all tokens of a step, or added over time and averaged over the batch");
  }
};

/// A task (models/training/task.h). The state is carried from window to window, and begins with zeros
/// in each epoch. Refers to all that it is made of.
class LanguageTask {
 public:
  /// As many streams as the run's `batch`, windows of its `bptt` steps. Throws Error if that is 0, and if
  /// `training` is too short for so many streams.
  LanguageTask(SavedLanguageModel& saved, std::span<const int> training, std::span<const int> validation,
               const TrainingOptions& run, const LanguageTaskOptions& options = {});

  std::vector<NamedParameter> parameters() { return nn::parameters(saved_.net); }
  ModelCard card() const { return card_of(saved_); }
  const char* unit() const {
    return saved_.options.tokens.level == Level::character ? "characters" : "words";
  }
  Index units() const { return text_.predictions(); }
  std::uint64_t digest() const;
  Index begin_epoch(Generator& order);
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;
  std::vector<NamedTensor> state();
  void load_state(std::span<const NamedTensor> state);

 private:
  // Some streams, and the states before and after the last window that was read of them. It may be read
  // again.
  struct Reader {
    nn::Carry before, after;
    Index last = -1;
    Window window;
  };
  SavedLanguageModel& saved_;
  std::span<const int> training_, validation_;
  TextStreams text_;
  LanguageTaskOptions options_;
  std::vector<Reader> readers_;  // by their first stream, whoever reads them
};

}  // namespace unroll::models
