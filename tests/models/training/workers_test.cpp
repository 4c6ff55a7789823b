#include "models/training/workers.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>

#include "nn/cells.h"
#include "nn/recurrent.h"
#include "ops/reduce.h"

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

TEST_CASE("workers without a piece help those that have one") {
  Workers workers(3);
  std::vector<int> calls(3);
  std::vector<const ThreadPool*> pools(3);
  auto work = [&](Worker& w) {
    ++calls[static_cast<std::size_t>(w.index)];
    pools[static_cast<std::size_t>(w.index)] = w.tape.thread_pool();
  };
  workers.each(work, 2);
  CHECK(calls == std::vector{1, 1, 0});
  CHECK(pools[0] != nullptr);
  CHECK(pools[1] == pools[0]);
  CHECK(pools[0]->size() == 3);
  workers.each(work);
  CHECK(calls == std::vector{2, 2, 1});
  CHECK(pools == std::vector<const ThreadPool*>(3));  // there is nobody to help
  workers.measure(1, [&](Worker& w, std::size_t) { work(w); });
  CHECK(calls == std::vector{3, 2, 1});
  CHECK(pools[0] != nullptr);
}

TEST_CASE("workers: a piece on two threads has the numbers of one thread, and the same bits each time") {
  Generator g(1);
  nn::Bidirectional<nn::Gru> net{nn::Gru(16, 32, g), nn::Gru(16, 32, g)};
  const auto layout = ops::Layout::uniform(1, 60);
  Tensor xs({60, 16});
  for (Index i = 0; i < xs.size(); ++i) xs.set(i, g.normal());
  auto step = [&](Workers& workers) {
    Gradients& gradients = workers.run(
        [&](Worker& w) {
          w.tape.backward(ops::sum(ops::square(net({w.tape.constant(xs), &layout}).outputs.rows)),
                          w.gradients);
        },
        1);
    std::vector<double> all;
    for (const NamedParameter& p : nn::parameters(net))
      for (const double d : gradients.dense(*p.parameter).values()) all.push_back(d);
    return all;
  };
  Workers one(1), two(2);
  const std::vector<double> expected = step(one), got = step(two);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-4).scale(0.1));
  for (int again = 0; again < 5; ++again) CHECK(step(two) == got);
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
