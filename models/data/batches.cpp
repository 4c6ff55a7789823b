#include "models/data/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "models/data/shuffle.h"

namespace unroll::models {

using autograd::fail;

namespace {

constexpr Index kPoolBatches = 64;  // sorted together: far more than one, far fewer than all

void expect(BatchSize size) {
  if (size.sequences < 1 || size.tokens < 0)
    fail("batches", fmt::format("a batch of {} sequences and {} tokens came; needed at least 1 sequence",
                                size.sequences, size.tokens));
}

std::vector<int> positions(std::size_t count) {
  std::vector<int> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Index length_of(std::span<const int> lengths, int position) {
  return lengths[static_cast<std::size_t>(position)];
}

void sort_longest_first(std::span<int> order, std::span<const int> lengths) {
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return length_of(lengths, a) > length_of(lengths, b); });
}

void cut(std::span<const int> order, std::span<const int> lengths, BatchSize size,
         std::vector<std::vector<int>>& batches) {
  std::vector<int> batch;
  Index tokens = 0;
  for (int position : order) {
    const Index length = length_of(lengths, position);
    const bool full = static_cast<Index>(batch.size()) == size.sequences ||
                      (size.tokens > 0 && tokens + length > size.tokens);
    if (full && !batch.empty()) {
      batches.push_back(std::exchange(batch, {}));
      tokens = 0;
    }
    batch.push_back(position);
    tokens += length;
  }
  if (!batch.empty()) batches.push_back(std::move(batch));
}

}  // namespace

std::vector<std::vector<int>> shuffled_batches(std::span<const int> lengths, BatchSize size,
                                               ops::Generator& generator) {
  expect(size);
  std::vector<int> order = positions(lengths.size());
  shuffle(order, generator);
  std::vector<std::vector<int>> batches;
  const auto pool = static_cast<std::size_t>(std::min(size.sequences * kPoolBatches, Index{1} << 30));
  for (std::size_t begin = 0; begin < order.size(); begin += pool) {
    const std::span<int> part = std::span(order).subspan(begin, std::min(pool, order.size() - begin));
    sort_longest_first(part, lengths);
    cut(part, lengths, size, batches);
  }
  shuffle(batches, generator);
  return batches;
}

std::vector<std::vector<int>> sorted_batches(std::span<const int> lengths, BatchSize size) {
  expect(size);
  std::vector<int> order = positions(lengths.size());
  sort_longest_first(order, lengths);
  std::vector<std::vector<int>> batches;
  cut(order, lengths, size, batches);
  return batches;
}

TextStreams::TextStreams(std::span<const int> tokens, Index streams, Index steps, SourceLocation location)
    : tokens_(tokens), streams_(streams), steps_(steps), length_(0) {
  if (streams < 1 || steps < 1)
    fail("streams", fmt::format("{} streams of {} steps came; needed at least 1 of each", streams, steps),
         location);
  length_ = (static_cast<Index>(tokens.size()) - 1) / streams;
  if (tokens.empty() || length_ < 1)
    fail("streams",
         fmt::format("a text of {} tokens came for {} streams; needed at least {}", tokens.size(), streams,
                     streams + 1),
         location);
}

void TextStreams::read(Index w, Index first, Index count, Window& window) const {
  const Index begin = w * steps_;
  window.steps = std::min(steps_, length_ - begin);
  window.streams = count;
  window.inputs.clear();
  window.targets.clear();
  for (Index t = begin; t < begin + window.steps; ++t)
    for (Index b = first; b < first + count; ++b) {
      const auto at = static_cast<std::size_t>(b * length_ + t);
      window.inputs.push_back(tokens_[at]);
      window.targets.push_back(tokens_[at + 1]);
    }
}

}  // namespace unroll::models
