#include "ops/concat.h"

#include <doctest/doctest.h>

#include <vector>

#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/views.h"

using namespace unroll;

TEST_CASE("thousands of time steps of two directions become one value by one node each") {
  constexpr Index kSteps = 3000;
  Tape tape(f64);
  Gradients gradients;
  std::vector<Var> pieces[2];
  for (Index t = 0; t < kSteps; ++t)
    for (auto& direction : pieces)
      direction.push_back(tape.variable(Tensor::from({2, 1}, {double(t), double(-t)}, f64)));
  const Var y = concat({concat(pieces[0], 0), concat(pieces[1], 0)}, 1);
  CHECK(tape.nodes().size() == 3);
  Tensor seed({2 * kSteps, 2}, f64);
  for (Index i = 0; i < seed.size(); ++i) seed.set(i, double(i));
  tape.backward(y, seed, gradients);
  bool right = true;
  for (Index t = 0; t < kSteps; ++t)
    for (Index direction : {0, 1})
      for (Index r : {0, 1}) {
        const Var piece = pieces[direction][static_cast<std::size_t>(t)];
        const Index at = (2 * t + r) * 2 + direction;
        right = right && y.view<double>().data[at] == piece.tensor().at(r) &&
                tape.gradient(piece).at(r) == double(at);
      }
  CHECK(right);
}

TEST_CASE("views cost no node and no memory") {
  Tape tape;
  const Var z = tape.variable(Tensor::from({2, 8}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
  const std::size_t used = tape.arena().used();
  const auto [i, f, g, o] = split<4>(z);
  const Var first = slice(z, 0, 0, 1), right = slice(z, -1, 6, 8), all = reshape(z, {4, 4});
  CHECK(tape.nodes().empty());
  CHECK(tape.arena().used() == used);
  CHECK(g.tensor().values() == std::vector<double>{4, 5, 12, 13});
  CHECK(right.tensor().values() == std::vector<double>{6, 7, 14, 15});
  CHECK(first.shape() == Shape{1, 8});
  CHECK(rows(all, 1, 1).tensor().values() == columns(first, 4, 4).tensor().values());
  CHECK(contiguous(all) == all);
  CHECK(contiguous(first) == first);
  CHECK(tape.nodes().empty());
  CHECK(contiguous(g).view<float>().contiguous());
  CHECK(tape.nodes().size() == 1);
}

TEST_CASE("no gradient flows through stop_gradient") {
  Tape tape;
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({2}, {3, 4}));
  tape.backward(sum(x * stop_gradient(x)), gradients);
  CHECK(tape.gradient(x).values() == std::vector<double>{3, 4});
}
