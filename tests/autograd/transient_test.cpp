#include "autograd/transient.h"
#include "autograd/replay.h"

#include <doctest/doctest.h>

#include <optional>

#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;

namespace {

// A cell with a product whose right operand is made anew at each step.
struct Squaring {
  Parameter u;
  explicit Squaring(Index hidden, Generator& g) : u("u", {hidden, hidden}) { initialise::orthogonal(u, g); }
  Var project(Var xs) const { return xs * 1.0; }
  Var step(Projected x, Var h) const { return tanh(x.add(h, square(h.tape().parameter(u)))); }
  Var initial(Tape& tape, Index batch) const { return tape.full({batch, u.shape()[0]}, 0.1); }
  void members(Members& m) { m("u", u); }
};

}  // namespace

TEST_CASE("a frame takes back its nodes, its memory and what products know of its values") {
  Generator g(1);
  const Parameter a("a", {10, 10}), b("b", {10, 10});
  Tape tape;
  const auto silent = tape.no_gradient();
  const Var x = tape.full({2, 10}, 1), y = matmul(x, a);
  const std::size_t values = tape.values().size(), nodes = tape.nodes().size();
  std::optional<Tape::Usage> first;
  for (int i = 0; i < 5; ++i) {
    {
      const autograd::Transient frame(tape);
      // Known as a factor before the next is, and gone with the frame.
      const Var w = square(tape.parameter(b));
      (void)matmul(matmul(y, w), w);
      (void)matmul(matmul(y, a), x, Transpose::no, Transpose::yes);
      CHECK(tape.values().size() > values);
    }
    CHECK(tape.values().size() == values);
    CHECK(tape.nodes().size() == nodes);
    const Tape::Usage now = tape.usage();
    if (!first) first = now;
    CHECK(now.total() == first->total());
    CHECK(tape.records().find_operand(tape.parameter(a).index())->value == tape.parameter(a).index());
    CHECK(tape.records().find_operand(x.index())->value == x.index());
    CHECK(tape.records().find_operand(x.index())->uses == static_cast<std::uint32_t>(i + 1));
  }
  // What was bound in a frame is bound anew.
  CHECK(tape.parameter(b).tensor().values() == b.value().values());
}

TEST_CASE("a scan without gradients takes the same memory for any number of steps, whatever the cell") {
  Generator g(1);
  const Squaring cell(10, g);
  std::optional<std::size_t> of_a_step;
  for (const Index steps : {10, 100, 1000}) {
    const Layout layout = Layout::uniform(2, steps);
    Tape tape;
    const auto silent = tape.no_gradient();
    (void)scan(cell, {tape.full({2 * steps, 10}, 0.5), &layout});
    const std::size_t forms = tape.usage().packed;
    if (!of_a_step) of_a_step = forms;
    CHECK(forms == *of_a_step);
  }
}

TEST_CASE("frames inside of each other") {
  Tape tape;
  const auto silent = tape.no_gradient();
  const Var x = tape.full({2}, 1);
  const Tape::Usage before = tape.usage();
  {
    const autograd::Transient outer(tape);
    const Var y = x * 2.0;
    {
      const autograd::Transient inner(tape);
      CHECK((y * 3.0).tensor().values() == std::vector<double>{6, 6});
    }
    const Var z = y * 5.0;
    CHECK(z.tensor().values() == std::vector<double>{10, 10});
    CHECK(y.tensor().values() == std::vector<double>{2, 2});
  }
  CHECK(tape.usage().total() == before.total());
}

TEST_CASE("nodes are computed again from what their inputs hold then, in the same memory") {
  Tape tape;
  const auto silent = tape.no_gradient();
  std::vector<float> numbers{1, 2, 3};
  const Var x = tape.borrow(reinterpret_cast<std::byte*>(numbers.data()), {1, 3}, 3);
  const std::size_t begin = tape.nodes().size();
  const Var y = square(x), z = matmul(y, tape.full({3, 1}, 1));
  const autograd::Replay replay{tape, begin, tape.nodes().size()};
  CHECK(z.item() == 14);
  const std::size_t nodes = tape.nodes().size(), used = tape.usage().total();
  for (int i = 0; i < 100; ++i) {
    numbers = {static_cast<float>(i), 1, 0};
    replay();
    REQUIRE(z.item() == i * i + 1);
  }
  CHECK(y.tensor().values() == std::vector<double>{99 * 99, 1, 0});
  CHECK(tape.nodes().size() == nodes);
  CHECK(tape.usage().total() == used);
}

TEST_CASE("derivatives of a part leave packed weights to those who compute again") {
  Generator g(1);
  Parameter w("w", {256, 512});
  initialise::normal(w, g, 0, 0.1);
  Tape tape;
  const Var x = tape.variable(tests::random_tensor({2, 256}, 7));
  Var y = x;
  for (int i = 0; i < 3; ++i) y = matmul(matmul(y, w), w, Transpose::no, Transpose::yes);
  const Var z = matmul(y, w);
  const autograd::Replay again{tape, 0, tape.nodes().size()};
  again();
  const std::vector<double> before = z.tensor().values();
  const Tensor seed(z.shape());
  (void)tape.pull_back(0, static_cast<std::uint32_t>(tape.nodes().size()), {&z, 1}, {&seed, 1}, {&x, 1});
  again();
  CHECK(z.tensor().values() == before);
  Gradients gradients;
  tape.backward(ops::sum(z), gradients);
  CHECK_THROWS_WITH_AS(again(), doctest::Contains("[replay] nodes of a tape came that backward has consumed"),
                       Error);
}
