#include "models/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <set>
#include <stdexcept>

namespace unroll::models {

TEST_CASE("workers: each works once, on its own thread, the caller as worker 0") {
  for (int count : {1, 2, 5}) {
    Workers workers(count);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::thread::id> seen(static_cast<std::size_t>(count));
      workers.each([&](Worker& w) { seen[static_cast<std::size_t>(w.index)] = std::this_thread::get_id(); });
      CHECK(seen[0] == std::this_thread::get_id());
      CHECK(std::set(seen.begin(), seen.end()).size() == seen.size());
    }
  }
}

TEST_CASE("workers: what one of them throws comes to the caller, and the pool goes on") {
  Workers workers(3);
  for (int thrower : {0, 2}) {
    CHECK_THROWS_WITH(workers.each([&](Worker& w) {
      if (w.index == thrower) throw std::runtime_error("worker " + std::to_string(w.index));
    }),
                      ("worker " + std::to_string(thrower)).c_str());
    std::atomic<int> calls = 0;
    workers.each([&](Worker&) { ++calls; });
    CHECK(calls == 3);
  }
  CHECK_THROWS_AS(Workers(0), Error);
}

TEST_CASE("workers flush denormals, and the caller is left as it was") {
  volatile float tiny = std::numeric_limits<float>::min();
  Workers workers(2);
  std::vector<float> halves(2, -1);
  workers.each([&](Worker& w) { halves[static_cast<std::size_t>(w.index)] = tiny * 0.5F; });
#ifdef __SSE2__
  CHECK(halves == std::vector<float>{0, 0});
#endif
  CHECK(tiny * 0.5F > 0);
}

TEST_CASE("shares cover everything once") {
  for (Index count : {0, 1, 7, 64})
    for (int parts : {1, 2, 3, 8}) {
      Index next = 0;
      for (int i = 0; i < parts; ++i) {
        const Share share = share_of(count, i, parts);
        CHECK(share.begin == next);
        CHECK(share.size() <= count / parts + 1);
        next = share.end;
      }
      CHECK(next == count);
    }
}

}  // namespace unroll::models
