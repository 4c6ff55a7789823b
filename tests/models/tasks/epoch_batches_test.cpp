#include "models/tasks/epoch_batches.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>

#include "models/tasks/word_dropout.h"

namespace unroll::models {

namespace {
const std::vector<int> kLengths{3, 9, 1, 4, 4, 7, 2, 8, 5, 6, 10};
}

TEST_CASE("the shares of a batch are all of it, once, with as many long and short ones in each") {
  EpochBatches batches(8);
  Generator order(1);
  REQUIRE(batches.begin_epoch(kLengths, order) == 2);
  for (Index b = 0; b < 2; ++b)
    for (const int count : {1, 2, 3, 9}) {
      std::vector<int> all;
      for (int i = 0; i < count; ++i) {
        const std::vector<int> share = batches.share(b, {i, count});
        for (std::size_t k = 0; k < share.size(); ++k)
          CHECK(share[k] == batches[b][static_cast<std::size_t>(i) + k * static_cast<std::size_t>(count)]);
        all.insert(all.end(), share.begin(), share.end());
      }
      std::vector<int> whole = batches[b];
      std::ranges::sort(all), std::ranges::sort(whole);
      CHECK(all == whole);
    }
}

TEST_CASE("a sum over batches sees each sequence once and is the same for any number of workers") {
  for (const int threads : {1, 3}) {
    Workers workers(threads);
    std::vector<std::atomic<int>> seen(kLengths.size());
    const double sum =
        sum_over_batches(kLengths, 4, workers, [&](Worker& worker, std::span<const int> batch) {
          CHECK(worker.tape.nodes().empty());
          CHECK(batch.size() <= 4);
          double tokens = 0;
          for (const int i : batch) {
            ++seen[static_cast<std::size_t>(i)];
            tokens += kLengths[static_cast<std::size_t>(i)];
          }
          return tokens;
        });
    CHECK(sum == 59);
    CHECK(std::ranges::all_of(seen, [](const auto& times) { return times == 1; }));
  }
}

TEST_CASE("word dropout takes its share of tokens for unknown; without one it draws nothing") {
  std::vector<int> ids(10000, 5);
  Generator noise(3), untouched(3);
  WordDropout{}(ids, noise);
  CHECK(std::ranges::count(ids, 5) == 10000);
  CHECK(noise.state() == untouched.state());
  WordDropout{0.25}(ids, noise);
  const auto unknown = std::ranges::count(ids, Vocabulary::kUnknown);
  CHECK(unknown > 2300);
  CHECK(unknown < 2700);
}

}  // namespace unroll::models
