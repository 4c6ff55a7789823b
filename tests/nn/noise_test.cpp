// Noise in a cell depends on the seed, the recurrence, the step and the sequence, and on nothing else.
#include "nn/noise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;

namespace {

struct Noisy {
  Gru gru;
  Var project(Var xs) const { return gru.project(xs); }
  Var step(Projected x, Var h, const Noise& noise) const {
    const Var next = noise.dropout(gru.step(std::move(x), h), 0.3);
    return noise.gaussian(next, 0.1, 1);
  }
  Var initial(Tape& tape, Index batch) const { return gru.initial(tape, batch); }
  void members(Members& m) { m("gru", gru); }
};

// Outputs of each sequence of some lengths, in f64; sequence s of these is number first + stride * s.
std::vector<Tensor> outputs(const Noisy& cell, const std::vector<int>& lengths, Index first, Index stride,
                            Order order, Index segment) {
  const Layout layout{std::span<const int>(lengths)};
  std::vector<double> items;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    Generator g(static_cast<std::uint64_t>(first + stride * static_cast<Index>(s)) + 1);
    for (int i = 0; i < 3 * lengths[s]; ++i) items.push_back(g.normal());
  }
  const auto packed = layout.pack(std::span<const double>(items), 3);
  Tape tape(f64);
  const Var xs = tape.constant({layout.rows(), 3}, std::span<const double>(packed));
  const Training training(tape, 11, first, stride);
  const Var y = segment > 0 ? scan_recomputed(cell, {xs, &layout}, segment, order).outputs.rows
                            : scan(cell, {xs, &layout}, order).outputs.rows;
  const auto values = y.tensor().values();
  std::vector<Tensor> result;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    Tensor own({lengths[s], y.cols()}, f64);
    for (Index t = 0; t < lengths[s]; ++t)
      for (Index c = 0; c < y.cols(); ++c)
        own.set(t * y.cols() + c,
                values[static_cast<std::size_t>(layout.row(static_cast<Index>(s), t) * y.cols() + c)]);
    result.push_back(own);
  }
  return result;
}

}  // namespace

TEST_CASE("a sequence draws the same noise in a whole batch and in a piece of it, in any way") {
  Generator g(4);
  Noisy cell{Gru(3, 5, g)};
  const std::vector<int> lengths{4, 9, 1, 9, 6, 2, 7};
  for (const Order order : {Order::forward, Order::reverse}) {
    const auto whole = outputs(cell, lengths, 0, 1, order, 0);
    for (const int pieces : {1, 2, 3})
      for (const Index segment : {0, 2})
        for (int piece = 0; piece < pieces; ++piece) {
          std::vector<int> own;
          for (std::size_t s = static_cast<std::size_t>(piece); s < lengths.size();
               s += static_cast<std::size_t>(pieces))
            own.push_back(lengths[s]);
          const auto part = outputs(cell, own, piece, pieces, order, segment);
          for (std::size_t s = 0; s < own.size(); ++s) {
            const auto a = part[s].values(),
                       b = whole[static_cast<std::size_t>(piece) + s * static_cast<std::size_t>(pieces)]
                               .values();
            REQUIRE(a.size() == b.size());
            for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-12));
          }
        }
  }
}

TEST_CASE(
    "noise differs by seed, recurrence, step, sequence and number, and is what it should be on average") {
  const nn::NoiseOfScan scan{77};
  const int sequences[] = {2, 0, 1};
  const auto first = [&](const Noise& noise, Index row, int number) {
    return noise.generator(row, number).next();
  };
  std::vector<std::uint64_t> draws;
  for (const std::uint64_t seed : {77u, 79u})
    for (const std::int64_t step : {0, 1, 2})
      for (const Index row : {0, 1, 2})
        for (const int number : {0, 1}) draws.push_back(first(Noise({seed}, step, sequences), row, number));
  std::sort(draws.begin(), draws.end());
  CHECK(std::adjacent_find(draws.begin(), draws.end()) == draws.end());
  CHECK(first(Noise(scan, 3, sequences), 1, 0) ==
        first(Noise({77, 0, 1}, 3, {}), 0, 0));  // both are of sequence 0
  CHECK(first(Noise({77, 1, 2}, 3, sequences), 0, 0) == first(Noise({77, 5, 1}, 3, {}), 0, 0));

  Tape tape(f64);
  const Var ones = tape.full({200, 50}, 1), y = Noise(scan, 0, {}).dropout(ones, 0.25);
  CHECK(mean(y).item() == doctest::Approx(1).epsilon(0.03));
  const Var z = Noise(scan, 0, {}).gaussian(ones, 0.5) - 1.0;
  CHECK(mean(z).item() == doctest::Approx(0).scale(1).epsilon(0.02));
  CHECK(std::sqrt(mean(square(z)).item()) == doctest::Approx(0.5).epsilon(0.03));
  CHECK(Noise().dropout(ones, 0.25) == ones);
}
