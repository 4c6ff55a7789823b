// Which sequences, or which pieces of one long text, go together in one step.
#pragma once
#include <span>
#include <vector>

#include "autograd/system/error.h"
#include "autograd/tensor/dtype.h"
#include "ops/random.h"

namespace unroll::models {

/// How much one batch holds at most. A sequence longer than the token limit is a batch of its own.
struct BatchSize {
  Index sequences = 64;
  Index tokens = 0;  // sum of the lengths; 0 for no limit
};

/// Positions in `lengths`, batch by batch; each position comes once. Sequences are shuffled, sorted by length
/// inside large pools, cut into batches, and the batches shuffled: neighbours in length, but random company.
std::vector<std::vector<int>> shuffled_batches(std::span<const int> lengths, BatchSize size,
                                               ops::Generator& generator);
/// All of them sorted by length, the longest first; for evaluation.
std::vector<std::vector<int>> sorted_batches(std::span<const int> lengths, BatchSize size);

/// One window of truncated backpropagation: packed, time-major rows, step t of stream b at t * streams + b.
/// targets[i] is the token that follows inputs[i].
struct Window {
  Index steps = 0;
  Index streams = 0;
  std::vector<int> inputs, targets;  // [steps * streams]
};

/// One long text cut into `streams` pieces of equal length, read side by side in windows of at most `steps`
/// tokens, so that window w + 1 goes on exactly where w ended. Up to `streams` tokens at the end are left
/// out. Refers to `tokens`.
class TextStreams {
 public:
  /// Throws Error for a text shorter than streams + 1 tokens.
  TextStreams(std::span<const int> tokens, Index streams, Index steps,
              SourceLocation location = SourceLocation::current());

  Index streams() const { return streams_; }
  Index windows() const { return (length_ + steps_ - 1) / steps_; }
  /// Predictions in all windows.
  Index predictions() const { return streams_ * length_; }
  /// Streams [first, first + count) of window `w`; into existing memory.
  void read(Index w, Index first, Index count, Window& window) const;

 private:
  std::span<const int> tokens_;
  Index streams_, steps_, length_;  // length: predictions of one stream
};

}  // namespace unroll::models
