#include "autograd/system/thread_pool.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "ops/simd/denormals.h"
#include "tests/allocation_count.h"

using namespace unroll;

TEST_CASE(
    "a thread pool: each piece of work once, on a thread of its own while there are any, always the same") {
  for (int size : {1, 2, 5}) {
    ThreadPool thread_pool(size);
    CHECK(thread_pool.size() == size);
    for (int count : {0, 1, 2, 7}) {
      std::vector<std::thread::id> before;
      for (int round = 0; round < 50; ++round) {
        std::vector<std::thread::id> seen(static_cast<std::size_t>(count));
        std::vector<int> calls(seen.size());
        thread_pool.each(count, [&](int i) {
          seen[static_cast<std::size_t>(i)] = std::this_thread::get_id();
          ++calls[static_cast<std::size_t>(i)];
        });
        CHECK(calls == std::vector<int>(seen.size(), 1));
        if (count > 0) CHECK(seen[0] == std::this_thread::get_id());
        CHECK(std::set(seen.begin(), seen.end()).size() ==
              std::min<std::size_t>(seen.size(), thread_pool.size()));
        if (round > 0) CHECK(seen == before);
        before = seen;
        if (round % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // all fall asleep
      }
    }
  }
  CHECK_THROWS_WITH_AS(ThreadPool(0), doctest::Contains("[thread_pool] 0 threads came; needed at least 1"),
                       Error);
}

TEST_CASE("a thread pool: those who work for it may ask it for help, several at once") {
  for (int size : {1, 2, 3}) {
    ThreadPool thread_pool(size);
    for (int round = 0; round < 200; ++round) {
      std::array<std::array<int, 4>, 3> done{};
      thread_pool.each(3, [&](int i) {
        auto& mine = done[static_cast<std::size_t>(i)];
        thread_pool.each(4, [&](int j) { ++mine[static_cast<std::size_t>(j)]; });
        for (const int n : mine) CHECK(n == 1);  // all of it has come back
      });
      for (const auto& row : done) CHECK(row == std::array{1, 1, 1, 1});
    }
  }
}

TEST_CASE("a thread pool: what was thrown comes to the caller, the first in order, and the crew goes on") {
  ThreadPool thread_pool(2);
  for (const std::set<int>& throwers : {std::set{0}, {1}, {2}, {1, 2}, {0, 1, 2}, {0, 2}}) {
    int calls = 0;
    CHECK_THROWS_WITH(thread_pool.each(3,
                                       [&](int i) {
                                         if (throwers.contains(i))
                                           throw std::runtime_error(std::to_string(i));
                                       }),
                      std::to_string(*throwers.begin()).c_str());
    thread_pool.each(1, [&](int) { ++calls; });
    CHECK(calls == 1);
  }
}

TEST_CASE("a thread pool computes in the caller's floating-point mode") {
  ThreadPool thread_pool(2);
  const volatile float tiny = std::numeric_limits<float>::min();
  auto halves = [&] {
    std::array<float, 2> result{};
    thread_pool.each(2, [&](int i) { result[static_cast<std::size_t>(i)] = tiny * 0.5F; });
    return result;
  };
  auto all_zero = [](const std::array<float, 2>& x) { return x[0] == 0 && x[1] == 0; };
  auto none_zero = [](const std::array<float, 2>& x) { return x[0] > 0 && x[1] > 0; };
  CHECK(none_zero(halves()));
#ifdef __SSE2__
  {
    const FlushDenormals flush;
    CHECK(all_zero(halves()));
  }
#endif
  CHECK(none_zero(halves()));
}

TEST_CASE("a thread pool: short work is shared, and done once by whoever comes first") {
  for (int size : {1, 2, 4}) {
    ThreadPool thread_pool(size);
    for (int round = 0; round < 500; ++round) {
      std::array<int, 4> done{};
      thread_pool.share(4, [&](int i) { ++done[static_cast<std::size_t>(i)]; });
      CHECK(done == std::array{1, 1, 1, 1});
      if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // all fall asleep
    }
    // Two callers at once.
    std::array<std::array<int, 3>, 2> all{};
    thread_pool.each(2, [&](int c) {
      for (int round = 0; round < 500; ++round)
        thread_pool.share(3, [&](int i) { ++all[static_cast<std::size_t>(c)][static_cast<std::size_t>(i)]; });
    });
    for (const auto& row : all) CHECK(row == std::array{500, 500, 500});
    CHECK_THROWS_WITH(thread_pool.share(3,
                                        [](int i) {
                                          if (i > 0) throw std::runtime_error(std::to_string(i));
                                        }),
                      "1");
  }
}

TEST_CASE("a thread pool asks nothing of the heap to work") {
  ThreadPool thread_pool(3);
  int sum[3] = {};
  thread_pool.each(3, [&](int i) { sum[i] = i; });  // what a thread takes as it starts is not meant
  const std::size_t before = tests::allocation_count();
  for (int round = 0; round < 10; ++round) thread_pool.each(3, [&](int i) { sum[i] += i; });
  CHECK(tests::allocation_count() == before);
  CHECK(sum[2] == 22);
}
