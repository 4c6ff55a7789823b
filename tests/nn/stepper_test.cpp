#include "nn/stepper.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/cells.h"
#include "nn/layers.h"
#include "tests/allocation_count.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;

namespace {

Tensor random_tensor(const Shape& shape, DType dtype, std::uint64_t seed) {
  Generator generator(seed);
  Tensor t(shape, dtype);
  for (Index i = 0; i < t.size(); ++i) t.set(i, generator.normal());
  return t;
}

// A cell with a memory of two steps, whose state hands one of its Vars on as the other.
struct Delayed {
  struct State {
    Var now, before;
  };
  Parameter weight_ih, weight_hh;

  Delayed(Index in, Index hidden, Generator& g)
      : weight_ih("w", {in, hidden}), weight_hh("u", {hidden, hidden}) {
    initialise::glorot_uniform(weight_ih, g);
    initialise::orthogonal(weight_hh, g);
  }
  Var project(Var xs) const { return matmul(xs, weight_ih); }
  State step(Projected x, State s) const { return {tanh(x.add(s.before, weight_hh)), s.now}; }
  State initial(Tape& tape, Index batch) const {
    return {tape.zeros({batch, weight_hh.shape()[0]}), tape.zeros({batch, weight_hh.shape()[0]})};
  }
  void members(Members& m) { m("weight_ih", weight_ih), m("weight_hh", weight_hh); }
};

// Steps against a scan over the whole sequence: the largest difference, of outputs and last states.
template <class Net, class Scan>
double difference(const Net& net, Index in, Index batch, DType dtype, Scan scan) {
  constexpr Index steps = 7;
  const Layout layout = Layout::uniform(batch, steps);
  const Tensor xs = random_tensor({steps * batch, in}, dtype, 5);
  Tape tape(dtype);
  const Tensor expected = scan(net, PackedSequence{tape.constant(xs), &layout}).outputs.rows.tensor();
  Stepper stepper(net, in, {.batch = batch, .dtype = dtype});
  double worst = 0;
  for (int round = 0; round < 2; ++round) {
    stepper.reset();
    for (Index t = 0; t < steps; ++t)
      autograd::dispatch(dtype, [&]<class T>() {
        const auto size = static_cast<std::size_t>(batch * in);
        const auto y = stepper.step<T>(xs.span<T>().subspan(static_cast<std::size_t>(t) * size, size));
        REQUIRE(static_cast<Index>(y.size()) == batch * expected.shape().cols());
        for (std::size_t i = 0; i < y.size(); ++i)
          worst = std::max(worst, std::abs(double(y[i]) - expected.at(t * static_cast<Index>(y.size()) +
                                                                      static_cast<Index>(i))));
      });
  }
  return worst;
}

}  // namespace

TEST_CASE("a stepper gives the numbers of a scan, for every cell") {
  for (Index hidden : {1, 5, 32, 200})
    for (Index batch : {1, 3}) {
      CAPTURE(hidden);
      CAPTURE(batch);
      Generator g(1);
      auto whole = [](const auto& cell, const PackedSequence& xs) { return scan(cell, xs); };
      auto check = [&](const auto& cell) {
        for (DType dtype : {f32, f64})
          CHECK(difference(cell, 3, batch, dtype, whole) < (dtype == f32 ? 1e-6 : 1e-14));
      };
      check(Elman(3, hidden, g));
      check(Lstm(3, hidden, g));
      check(Lstm(3, hidden, g, {.peepholes = true, .projection = 2}));
      check(Gru(3, hidden, g, Reset::after));
      check(Gru(3, hidden, g, Reset::before));
      check(MinimalGatedUnit(3, hidden, g));
      check(Delayed(3, hidden, g));
    }
}

TEST_CASE("a stepper of a stack gives the numbers of the stack") {
  Generator g(2);
  Stack<Unidirectional<Gru>> net;
  net.layers.push_back({Gru(4, 6, g)});
  net.layers.push_back({Gru(6, 6, g)});
  for (bool residual : {false, true}) {
    net.residual = residual;
    auto whole = [](const auto& stack, const PackedSequence& xs) { return stack(xs); };
    CHECK(difference(net, 4, 2, f64, whole) < 1e-14);
  }
  net.layers[1].order = Order::reverse;
  CHECK_THROWS_WITH_AS(Stepper(net, 4), doctest::Contains("[stepper] a layer in reverse order came"), Error);
}

TEST_CASE("a step asks nothing of the heap, and records nothing") {
  Generator g(3);
  Stack<Unidirectional<Lstm>> net;
  net.layers.push_back({Lstm(2, 300, g)});  // its recurrent weights are packed
  net.layers.push_back({Lstm(300, 20, g)});
  const Linear head(20, 1, g);
  Stepper stepper(net, 2, {}, [&](Var y) { return head(y); });
  const std::vector<float> x{0.5f, -1};
  const std::size_t before = tests::allocation_count();
  for (int i = 0; i < 10; ++i) CHECK(stepper.step<float>(x).size() == 1);
  CHECK(tests::allocation_count() - before == 0);
}

TEST_CASE("a stepper's state can be taken out and put back") {
  Generator g(4);
  const Lstm cell(2, 5, g);
  Stepper stepper(cell, 2);
  const std::vector<float> x{1, 2};
  auto step = [&] {
    const auto y = stepper.step<float>(x);
    return std::vector<float>(y.begin(), y.end());
  };
  const auto first = step();
  const auto state = stepper.state();
  REQUIRE(state.size() == 2);
  CHECK(state[0].shape() == Shape{1, 5});
  const auto second = step();
  CHECK(first != second);
  stepper.set_state(state);
  CHECK(step() == second);
  stepper.reset();
  CHECK(step() == first);

  CHECK_THROWS_WITH_AS(stepper.set_state(std::vector<Tensor>(1)),
                       doctest::Contains("[stepper] 1 state tensors came; needed 2"), Error);
  CHECK_THROWS_WITH_AS(stepper.set_state(std::vector{state[0], Tensor({1, 4})}),
                       doctest::Contains("state tensor 1 of shape [1, 4] in f32 came; needed [1, 5] in f32"),
                       Error);
  CHECK_THROWS_WITH_AS(stepper.step<float>(std::vector<float>(3)),
                       doctest::Contains("3 numbers of f32 came; needed 2 of f32"), Error);
  CHECK_THROWS_WITH_AS(stepper.step<double>(std::vector<double>(2)),
                       doctest::Contains("2 numbers of f64 came; needed 2 of f32"), Error);
}

TEST_CASE("a cell that looks at values cannot be stepped") {
  struct Looking : Elman {
    using Elman::Elman;
    Var step(Projected x, Var h) const { return h.tensor().at(0) > 0 ? h : Elman::step(std::move(x), h); }
  };
  Generator g(5);
  const Looking cell(2, 3, g);
  CHECK_THROWS_WITH_AS(Stepper(cell, 2), doctest::Contains("[stepper] the net looks at values"), Error);
}

TEST_CASE("what cannot be stepped is refused with the caller's line") {
  Generator g(6);
  const Lstm cell(2, 3, g);
  const int line = __LINE__ + 2;
  try {
    Stepper stepper(cell, 3);
    FAIL("no error");
  } catch (const Error& error) {
    CAPTURE(error.what());
    CHECK(std::string(error.what()).find("needed the inner extents equal") != std::string::npos);
    CHECK(std::string(error.what()).ends_with("stepper_test.cpp:" + std::to_string(line)));
  }
  CHECK_THROWS_WITH_AS(Stepper(Stack<Unidirectional<Lstm>>{}, 2),
                       doctest::Contains("[stepper] no layers came; needed at least one ("), Error);
}
