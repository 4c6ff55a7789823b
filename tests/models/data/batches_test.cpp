#include "models/data/batches.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

namespace unroll::models {

namespace {

std::vector<int> random_lengths(int count) {
  Generator g(3);
  std::vector<int> lengths;
  for (int i = 0; i < count; ++i) lengths.push_back(1 + static_cast<int>(g.below(40)));
  return lengths;
}

std::vector<int> flattened(const std::vector<std::vector<int>>& batches) {
  std::vector<int> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

TEST_CASE("shuffled batches hold each sequence once, within the limits, the same for the same seed") {
  const std::vector<int> lengths = random_lengths(5000);
  for (const BatchSize size : {BatchSize{16, 0}, BatchSize{64, 300}, BatchSize{1, 0}, BatchSize{7, 20}}) {
    Generator g(1), same(1), other(2);
    const auto batches = shuffled_batches(lengths, size, g);
    CHECK(batches == shuffled_batches(lengths, size, same));
    CHECK(batches != shuffled_batches(lengths, size, other));
    std::vector<int> all = flattened(batches);
    std::sort(all.begin(), all.end());
    std::vector<int> expected(lengths.size());
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(all == expected);
    for (const auto& batch : batches) {
      CHECK(static_cast<Index>(batch.size()) <= size.sequences);
      int tokens = 0;
      for (int i : batch) tokens += lengths[static_cast<std::size_t>(i)];
      if (size.tokens > 0 && batch.size() > 1) CHECK(tokens <= size.tokens);
    }
  }
}

TEST_CASE("shuffled batches group like lengths") {
  const std::vector<int> lengths = random_lengths(5000);
  Generator g(1);
  Index steps = 0;
  for (const auto& batch : shuffled_batches(lengths, {16, 0}, g)) {
    int longest = 0;
    for (int i : batch) longest = std::max(longest, lengths[static_cast<std::size_t>(i)]);
    steps += static_cast<Index>(longest) * static_cast<Index>(batch.size());
  }
  const auto tokens = std::accumulate(lengths.begin(), lengths.end(), Index{0});
  CHECK(static_cast<double>(steps) < 1.05 * static_cast<double>(tokens));
}

TEST_CASE("sorted batches go from long to short") {
  const std::vector<int> lengths = {3, 9, 1, 9, 4};
  CHECK(sorted_batches(lengths, {2, 0}) == std::vector<std::vector<int>>{{1, 3}, {4, 0}, {2}});
  CHECK(sorted_batches(lengths, {9, 10}) == std::vector<std::vector<int>>{{1}, {3}, {4, 0, 2}});
  CHECK(sorted_batches({}, {2, 0}).empty());
  CHECK_THROWS_AS(sorted_batches(lengths, {0, 0}), Error);
}

TEST_CASE("text streams: windows go on where the last one ended, targets are the next tokens") {
  std::vector<int> tokens(24);
  std::iota(tokens.begin(), tokens.end(), 0);
  const TextStreams text(tokens, 3, 3);  // pieces of 7: 0.., 7.., 14..
  CHECK(text.windows() == 3);
  CHECK(text.predictions() == 21);
  Window w;
  text.read(0, 0, 3, w);
  CHECK(w.inputs == std::vector<int>{0, 7, 14, 1, 8, 15, 2, 9, 16});
  CHECK(w.targets == std::vector<int>{1, 8, 15, 2, 9, 16, 3, 10, 17});
  text.read(2, 1, 2, w);
  CHECK(w.steps == 1);
  CHECK(w.inputs == std::vector<int>{13, 20});
  CHECK(w.targets == std::vector<int>{14, 21});
}

TEST_CASE("text streams: a text that is too short is refused") {
  const std::vector<int> tokens = {1, 2, 3};
  CHECK(TextStreams(tokens, 2, 5).predictions() == 2);
  CHECK_THROWS_AS(TextStreams(tokens, 3, 5), Error);
  CHECK_THROWS_AS(TextStreams({}, 1, 5), Error);
  CHECK_THROWS_AS(TextStreams(tokens, 1, 0), Error);
}

}  // namespace unroll::models
