// How sequences of different lengths are learned from and measured, batch by batch, whatever they are.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "models/data/batches.h"
#include "models/training/task.h"

namespace unroll::models {

/// The batches of an epoch, and the share of each that one worker learns from.
class EpochBatches {
 public:
  /// Of so many sequences each.
  explicit EpochBatches(Index size) : size_(size) {}
  /// Arranges them anew; how many there are.
  Index begin_epoch(std::span<const int> lengths, Generator& order);
  /// Positions of the sequences of a batch.
  const std::vector<int>& operator[](Index batch) const { return batches_[static_cast<std::size_t>(batch)]; }
  /// Every `count`-th of them: as many long and short ones as in the other shares.
  std::vector<int> share(Index batch, Piece piece) const;

 private:
  Index size_;
  std::vector<std::vector<int>> batches_;
};

/// Calls measure(worker, batch) for all sequences, sorted by length, `most` at a time, on tapes that want no
/// gradients, and adds up what it returns: the same sum for any number of workers.
double sum_over_batches(std::span<const int> lengths, Index most, Workers& workers,
                        const std::function<double(Worker&, std::span<const int>)>& measure);

}  // namespace unroll::models
