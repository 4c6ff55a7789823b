#include "models/tasks/epoch_batches.h"

#include <numeric>

namespace unroll::models {

Index EpochBatches::begin_epoch(std::span<const int> lengths, Generator& order) {
  batches_ = shuffled_batches(lengths, {size_, 0}, order);
  return static_cast<Index>(batches_.size());
}

std::vector<int> EpochBatches::share(Index batch, Piece piece) const {
  const std::vector<int>& all = (*this)[batch];
  std::vector<int> some;
  for (auto i = static_cast<std::size_t>(piece.index); i < all.size();
       i += static_cast<std::size_t>(piece.count))
    some.push_back(all[i]);
  return some;
}

double sum_over_batches(std::span<const int> lengths, Index most, Workers& workers,
                        const std::function<double(Worker&, std::span<const int>)>& measure) {
  const auto batches = sorted_batches(lengths, {most, 0});
  std::vector<double> sums(batches.size());
  workers.measure(batches.size(),
                  [&](Worker& worker, std::size_t b) { sums[b] = measure(worker, batches[b]); });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace unroll::models
