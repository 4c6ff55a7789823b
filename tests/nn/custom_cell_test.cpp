// What docs/custom-cell.md does with its cell.
#include <doctest/doctest.h>

#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;

TEST_CASE("a cell of one's own runs wherever the built-in cells run") {
  Generator generator(1);
  const Layout layout(std::vector<int>{4, 2, 3});
  Tape tape;
  const PackedSequence xs{tape.full({layout.rows(), 8}, 0.5), &layout};
  MinimalGatedUnit cell(8, 16, generator);

  auto [outputs, last] = scan(cell, xs);  // one direction

  Bidirectional<MinimalGatedUnit> both{cell, MinimalGatedUnit(8, 16, generator)};
  Var sides = both(xs).outputs.rows;

  Stack<Unidirectional<MinimalGatedUnit>> stack;  // several layers
  stack.layers.push_back({cell});
  stack.layers.push_back({MinimalGatedUnit(16, 16, generator)});
  stack.dropout = {0.2};
  Var top = stack(xs, &generator).outputs.rows;

  ThreadPool threads(2);
  tape.use_threads(&threads);  // both(xs) now computes both directions at once

  CHECK(both(xs).outputs.rows.shape() == Shape{9, 32});
  CHECK(outputs.rows.shape() == Shape{9, 16});
  CHECK(last.shape() == Shape{3, 16});
  CHECK(sides.shape() == Shape{9, 32});
  CHECK(top.shape() == Shape{9, 16});
}

TEST_CASE("the gradient of a cell of one's own is checked in four lines") {
  Generator generator(1);
  MinimalGatedUnit cell(3, 4, generator);

  convert(cell, f64);
  const Layout layout(std::vector<int>{4, 2, 3});
  auto loss = [&](Tape& tape) {
    return ops::sum(square(scan(cell, {tape.full({layout.rows(), 3}, 0.5), &layout}).outputs.rows));
  };
  GradientCheck check = check_gradient(loss, parameters(cell));
  CHECK(check.error < 1e-6);
  INFO("the largest error is that of " << check.where);  // "'u_f', element 3 of [4, 4]"
  CHECK(check.where.find("of [") != std::string::npos);
}
