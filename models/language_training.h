// Training and measuring a language model on several threads: the text is cut into streams that are read side
// by side, and each worker reads its own.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/language_model.h"
#include "models/parallel.h"
#include "models/progress.h"

namespace unroll::models {

/// Mean cross entropy in nats a character over a text read in up to 16 streams, each of at least 4096
/// characters (if there are so many) and from a zero state; the same for any number of workers. Throws Error
/// for a text of fewer than two characters.
double evaluate(const LanguageModel& model, std::span<const int> text, Workers& workers);

struct LanguageTraining {
  int epochs = 10;
  Index batch = 16;             // streams
  Index steps = 64;             // of truncated backpropagation
  double learning_rate = 4e-3;  // of Adam at the start; falls along half a cosine
  double clip = 1;              // largest global norm of the gradient
  std::uint64_t seed = 1;
};

struct LanguageEpoch {
  int epoch = 0;                         // from 1
  double loss = 0, validation_loss = 0;  // nats a character
  double seconds = 0;                    // since training began
};

/// Trains with Adam by truncated backpropagation, the state carried from window to window. Validates after
/// each epoch and calls `report`. Leaves the model as it was after the epoch of the lowest validation loss.
std::vector<LanguageEpoch> train(LanguageModel& model, std::span<const int> training,
                                 std::span<const int> validation, const LanguageTraining& options,
                                 Workers& workers, Progress& progress,
                                 const std::function<void(const LanguageEpoch&)>& report);

}  // namespace unroll::models
