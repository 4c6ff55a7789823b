#include "autograd/gathered_rows.h"

#include <doctest/doctest.h>

#include <vector>

#include "ops/ops.h"

using namespace unroll;
using ops::sum;
using Numbers = std::vector<double>;

TEST_CASE("pieces move into one value without a node, in any order of rows") {
  for (const bool reverse : {false, true}) {
    Tape tape(f64);
    Gradients gradients;
    const Var x = tape.variable(Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6}));
    std::vector<Var> pieces;
    for (Index r = 0; r < 3; ++r) pieces.push_back(tape.rows(x, r, 1) * 2.0);
    const Var view = tape.columns(pieces[1], 1, 1);
    autograd::GatheredRows all(tape, {3, 2});
    const std::size_t nodes = tape.nodes().size();
    for (Index r = 0; r < 3; ++r) REQUIRE(all.take(pieces[static_cast<std::size_t>(r)], reverse ? 2 - r : r));
    if (reverse) std::ranges::reverse(pieces);
    CHECK(tape.nodes().size() == nodes);
    CHECK(all.value().shape() == Shape{3, 2});
    CHECK(all.value().tensor().values() ==
          (reverse ? Numbers{10, 12, 6, 8, 2, 4} : Numbers{2, 4, 6, 8, 10, 12}));

    // Pieces and their views are parts of it: gradients add up, whatever way they came.
    for (std::size_t i = 0; i < 3; ++i)
      CHECK(pieces[i].view<double>().data == all.value().view<double>().row(static_cast<Index>(i)));
    CHECK(view.view<double>().data == all.value().view<double>().row(1) + 1);
    tape.backward(sum(all.value() * all.value()) + sum(pieces[0]) + sum(view), gradients);
    Numbers expected{8, 16, 24, 34, 40, 48};  // 2 (2 * 2 x), and 2 more where the view is
    for (Index c = 0; c < 2; ++c) expected[static_cast<std::size_t>(reverse ? 4 + c : c)] += 2;
    CHECK(tape.gradient(x).values() == expected);
  }
}

TEST_CASE("what cannot move is left as it was") {
  Tape tape;
  const Var leaf = tape.full({1, 2}, 1), a = leaf * 1.0;
  autograd::GatheredRows all(tape, {3, 2});
  CHECK_FALSE(all.take(leaf, 0));
  CHECK_FALSE(all.take(tape.rows(a, 0, 1), 0));
  CHECK_FALSE(all.take(tape.full({1, 3}, 1) * 1.0, 0));  // another width
  CHECK_FALSE(all.take(tape.full({2}, 1) * 1.0, 0));
  CHECK_FALSE(all.take(a, -1));
  CHECK_FALSE(all.take(a, 3));
  CHECK(a.tensor().values() == Numbers{1, 1});
  CHECK(all.take(a, 2));
  CHECK_FALSE(all.take(a, 0));  // it is a view now
}

TEST_CASE("pieces move in any order: the gradient is complete at the one that was made first") {
  for (const bool later_first : {false, true}) {
    Tape tape(f64);
    Gradients gradients;
    const Var x = tape.variable(Tensor::from({1, 1}, {3})), a = x * 2.0, b = x * 5.0;
    autograd::GatheredRows all(tape, {2, 1});
    REQUIRE(all.take(later_first ? b : a, later_first ? 1 : 0));
    REQUIRE(all.take(later_first ? a : b, later_first ? 0 : 1));
    tape.backward(sum(all.value()), gradients);
    CHECK(tape.gradient(x).values() == Numbers{7});
  }
}

TEST_CASE("memory of a piece that has moved is used again, unless it is shared") {
  for (const bool shared : {false, true}) {
    Tape tape(f64);
    tape.poison(true);
    Gradients gradients;
    const Var x = tape.variable(Tensor::from({1, 2}, {1, 2}));
    autograd::GatheredRows all(tape, {3, 2});
    const Var a = x * 2.0;
    const void* memory = a.view<double>().data;
    const Var same = shared ? tape.stop_gradient(a) : Var();
    REQUIRE(all.take(a, 0));
    const Var b = a * 3.0;
    CHECK((b.view<double>().data == memory) == !shared);
    if (shared) CHECK(same.tensor().values() == Numbers{2, 4});
    REQUIRE(all.take(b, 1));
    REQUIRE(all.take(a * b, 2));
    CHECK(all.value().tensor().values() == Numbers{2, 4, 6, 12, 12, 48});
    tape.backward(sum(all.value()), gradients);
    CHECK(tape.gradient(x).values() == Numbers{2 + 6 + 24, 2 + 6 + 48});
  }
}

TEST_CASE("a joined value keeps its gradient where a piece was to") {
  Tape tape;
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({1, 1}, {3})), a = x * 2.0, b = x * 5.0;
  tape.keep_gradient(b);
  autograd::GatheredRows all(tape, {2, 1});
  REQUIRE(all.take(a, 0));
  REQUIRE(all.take(b, 1));
  tape.backward(sum(all.value() * all.value()), gradients);
  CHECK(tape.gradient(b).values() == Numbers{30});
  CHECK(tape.gradient(all.value()).values() == Numbers{12, 30});
}
