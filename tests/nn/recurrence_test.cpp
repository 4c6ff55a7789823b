// Every cell x direction x depth x ragged x carried state.
#include "nn/recurrence.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autograd/gradient_check.h"
#include "nn/cells.h"
#include "nn/pooling.h"
#include "nn/recurrent.h"
#include "ops/reduce.h"
#include "ops/views.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;

namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  Tensor t(shape, f64);
  for (Index i = 0; i < t.size(); ++i) t.set(i, generator.normal());
  return t;
}

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
  return worst;
}

constexpr Index kIn = 3, kHidden = 4;

// Peepholes and biases start at 0, where mistakes hide.
template <class M>
void randomise(M& module) {
  convert(module, f64);
  std::uint64_t seed = 100;
  for (const NamedParameter& p : parameters(module)) {
    Generator generator(seed++);
    Tensor& value = p.parameter->value();
    for (Index i = 0; i < value.size(); ++i) value.set(i, 0.6 * generator.normal());
  }
}

const std::vector<std::vector<int>> kLengths = {{1}, {4}, {3, 3}, {2, 4, 1}, {1, 1, 1}, {5, 2, 2, 3}};

// Gradient of a layer's outputs and last states by all parameters and by its input.
template <class Layer>
void check_layer(Layer layer, const std::string& name) {
  CAPTURE(name);
  randomise(layer);
  for (const auto& lengths : kLengths) {
    const Layout layout(lengths);
    CAPTURE(layout.rows());
    const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
    auto run = [&](Tape& tape, Var x) {
      const auto result = layer(Sequence{x, &layout});
      const Tensor weight = random_tensor(result.outputs.rows.shape(), 8);
      return ops::sum(result.outputs.rows * tape.constant(weight)) + ops::sum(square(final_state(result)));
    };
    const GradientCheck by_parameters =
        check_gradient([&](Tape& tape) { return run(tape, tape.constant(xs)); }, parameters(layer));
    CAPTURE(by_parameters.where);
    // A single step from zeros has no use for recurrent weights: their gradient is exactly zero.
    CHECK(by_parameters.error < 1e-6);
    const std::vector<Tensor> inputs{xs};
    const GradientCheck by_input =
        check_gradient([&](Tape& tape, std::span<const Var> x) { return run(tape, x[0]); }, inputs);
    CHECK(by_input.error < 1e-6);
  }
}

template <class Make>
void check_cell(const std::string& name, Make make) {
  using C = decltype(make(kIn));
  check_layer(Unidirectional<C>{make(kIn), Order::forward}, name + " forward");
  check_layer(Unidirectional<C>{make(kIn), Order::reverse}, name + " reverse");
  check_layer(Bidirectional<C>{make(kIn), make(kIn)}, name + " bidirectional");
}

}  // namespace

TEST_CASE("every cell in every direction has the right gradient on ragged batches") {
  Generator generator(1);
  check_cell("elman tanh", [&](Index in) { return Elman(in, kHidden, generator); });
  check_cell("elman sigmoid", [&](Index in) { return Elman(in, kHidden, generator, ops::sigmoid); });
  check_cell("lstm", [&](Index in) { return Lstm(in, kHidden, generator); });
  check_cell("lstm with peepholes",
             [&](Index in) { return Lstm(in, kHidden, generator, {.peepholes = true}); });
  check_cell("lstm with projection",
             [&](Index in) { return Lstm(in, kHidden, generator, {.projection = 2}); });
  check_cell("lstm with both",
             [&](Index in) { return Lstm(in, kHidden, generator, {.peepholes = true, .projection = 3}); });
  check_cell("gru, reset after", [&](Index in) { return Gru(in, kHidden, generator, Reset::after); });
  check_cell("gru, reset before", [&](Index in) { return Gru(in, kHidden, generator, Reset::before); });
  check_cell("minimal gated unit", [&](Index in) { return MinimalGatedUnit(in, kHidden, generator); });
}

TEST_CASE("stacks have the right gradient") {
  Generator generator(2);
  for (bool residual : {false, true}) {
    CAPTURE(residual);
    Stack<Unidirectional<Lstm>> forward;
    Stack<Bidirectional<Gru>> both;
    for (Index layer = 0; layer < 3; ++layer) {
      forward.layers.push_back({Lstm(layer == 0 ? kIn : kHidden, kHidden, generator)});
      both.layers.push_back({Gru(layer == 0 ? kIn : 2 * kHidden, kHidden, generator),
                             Gru(layer == 0 ? kIn : 2 * kHidden, kHidden, generator)});
    }
    forward.residual = both.residual = residual;
    check_layer(forward, "stack of lstm");
    check_layer(both, "stack of bidirectional gru");
  }
}

TEST_CASE("given and learned initial states get their gradient") {
  Generator generator(3);
  Lstm cell(kIn, kHidden, generator);
  LearnedState<Lstm> learned(cell);
  randomise(cell);
  randomise(learned);
  for (const auto& lengths : kLengths) {
    const Layout layout(lengths);
    const Tensor xs = random_tensor({layout.rows(), kIn}, 9);
    for (Order order : {Order::forward, Order::reverse}) {
      const GradientCheck check = check_gradient(
          [&](Tape& tape) {
            const auto state = learned(cell, tape, layout.batch());
            const auto result = scan(cell, {tape.constant(xs), &layout}, order, std::optional(state));
            return ops::sum(square(result.outputs.rows)) + ops::sum(result.last.c);
          },
          parameters(learned));
      CHECK(check.error < 1e-6);
      const Index batch = layout.batch();
      const std::vector<Tensor> states{random_tensor({batch, kHidden}, 10),
                                       random_tensor({batch, kHidden}, 11)};
      const GradientCheck given = check_gradient(
          [&](Tape& tape, std::span<const Var> s) {
            const auto result =
                scan(cell, {tape.constant(xs), &layout}, order, std::optional(Lstm::State{s[0], s[1]}));
            const Tensor weight = random_tensor({batch, kHidden}, 12);
            return ops::sum(result.last.h * tape.constant(weight)) + ops::sum(square(result.last.c));
          },
          states);
      CHECK(given.error < 1e-6);
    }
  }
}

TEST_CASE("a ragged batch equals its sequences one by one, in both directions") {
  Generator generator(4);
  Bidirectional<Lstm> net{Lstm(kIn, kHidden, generator), Lstm(kIn, kHidden, generator)};
  randomise(net);
  const std::vector<int> lengths{2, 5, 1, 5, 3};
  const Layout layout(lengths);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 13);
  Tape tape(f64);
  const auto all = net(Sequence{tape.constant(xs), &layout});
  const Tensor outputs = all.outputs.rows.tensor();
  const Tensor last_h = all.last_forward.h.tensor(), last_c = all.last_reverse.c.tensor();
  for (Index s = 0; s < layout.batch(); ++s) {
    const Index length = layout.length(s);
    Tensor own({length, kIn}, f64);
    for (Index t = 0; t < length; ++t)
      for (Index f = 0; f < kIn; ++f) own.set(t * kIn + f, xs.at(layout.row(s, t) * kIn + f));
    const Layout single = Layout::uniform(1, length);
    Tape alone(f64);
    const auto one = net(Sequence{alone.constant(own), &single});
    const Tensor expected = one.outputs.rows.tensor();
    for (Index t = 0; t < length; ++t)
      for (Index f = 0; f < 2 * kHidden; ++f)
        CHECK(outputs.at(layout.row(s, t) * 2 * kHidden + f) ==
              doctest::Approx(expected.at(t * 2 * kHidden + f)).epsilon(1e-12));
    for (Index f = 0; f < kHidden; ++f) {
      CHECK(last_h.at(s * kHidden + f) == doctest::Approx(one.last_forward.h.tensor().at(f)).epsilon(1e-12));
      CHECK(last_c.at(s * kHidden + f) == doctest::Approx(one.last_reverse.c.tensor().at(f)).epsilon(1e-12));
    }
  }
}

TEST_CASE("truncated backpropagation: carried values give the outputs of one long pass") {
  Generator generator(5);
  Stack<Unidirectional<Lstm>> net;
  net.layers.push_back({Lstm(kIn, kHidden, generator)});
  net.layers.push_back({Lstm(kHidden, kHidden, generator)});
  randomise(net);
  const Index batch = 3, steps = 12, piece = 4;
  const Tensor xs = random_tensor({steps * batch, kIn}, 14);
  const Layout whole = Layout::uniform(batch, steps), part = Layout::uniform(batch, piece);
  Tape tape(f64);
  const Tensor expected = net(Sequence{tape.constant(xs), &whole}).outputs.rows.tensor();
  Carry carry;
  Tape pass(f64);
  for (Index begin = 0; begin < steps; begin += piece) {
    pass.clear();
    const Var x = pass.rows(pass.constant(xs), begin * batch, piece * batch);
    const auto result = net(Sequence{x, &part}, carry);
    const Tensor got = result.outputs.rows.tensor();
    for (Index i = 0; i < got.size(); ++i)
      CHECK(got.at(i) == doctest::Approx(expected.at(begin * batch * kHidden + i)).epsilon(1e-12));
    // The gradient stops at the border but is right within the piece.
    Carry before = carry;
    const GradientCheck check = check_gradient(
        [&](Tape& t) {
          Carry mine = before;
          const Var again = t.rows(t.constant(xs), begin * batch, piece * batch);
          return ops::sum(square(net(Sequence{again, &part}, mine).outputs.rows));
        },
        parameters(net));
    CHECK(check.error < 1e-6);
  }
}

TEST_CASE("fused and composed forms of a cell agree") {
  Generator generator(6);
  Lstm lstm(kIn, kHidden, generator);
  randomise(lstm);
  const Layout layout(std::vector<int>{3, 5, 2});
  const Tensor xs = random_tensor({layout.rows(), kIn}, 15);

  // The same LSTM from named ops, out of place.
  struct Composed {
    const Lstm& cell;
    Var project(Var x) const { return matmul(x, cell.weight_ih) + cell.bias; }
    Lstm::State step(Var x, Lstm::State s) const {
      const auto z = ops::split<4>(x + matmul(s.h, cell.weight_hh));
      const Var c = sigmoid(z[1]) * s.c + sigmoid(z[0]) * tanh(z[2]);
      return {sigmoid(z[3]) * tanh(c), c};
    }
    Lstm::State initial(Tape& tape, Index batch) const { return cell.initial(tape, batch); }
  };
  auto run = [&](const auto& cell, Gradients& gradients) {
    Tape tape(f64);
    const auto result = scan(cell, {tape.constant(xs), &layout});
    tape.backward(ops::sum(square(result.outputs.rows)), gradients);
    return result.outputs.rows.tensor();
  };
  Gradients fused, composed;
  const Tensor fused_outputs = run(lstm, fused), composed_outputs = run(Composed{lstm}, composed);
  CHECK(difference(fused_outputs, composed_outputs) < 1e-13);
  for (const NamedParameter& p : parameters(lstm))
    CHECK(difference(fused.dense(*p.parameter), composed.dense(*p.parameter)) < 1e-12);
}

TEST_CASE("misuse of a recurrence is named") {
  Generator generator(7);
  Elman cell(kIn, kHidden, generator);
  const Layout layout(std::vector<int>{2, 1});
  Tape tape;
  CHECK_THROWS_WITH_AS(scan(cell, {tape.zeros({4, kIn}), &layout}),
                       doctest::Contains("[4, 3] came; needed [3, features]"), Error);
  CHECK_THROWS_WITH_AS(Layout(std::vector<int>{2, 0}), doctest::Contains("sequence 1 has length 0"), Error);

  // What project() returned belongs to the recurrence.
  struct Leaky : Elman {
    using Elman::Elman;
    mutable Var kept;
    Var project(Var xs) const { return kept = Elman::project(xs); }
  };
  Leaky leaky(kIn, kHidden, generator);
  (void)scan(leaky, {tape.full({3, kIn}, 1), &layout});
  CHECK_THROWS_WITH_AS(tanh(leaky.kept), doctest::Contains("given to a recurrence for overwriting"), Error);

  struct Greedy : Elman {
    using Elman::Elman;
    Var step(Projected x, Var h) const {
      const Var early = tanh(x);
      return early + x.add(h, weight_hh);
    }
  };
  Greedy greedy(kIn, kHidden, generator);
  CHECK_THROWS_WITH_AS(scan(greedy, {tape.full({3, kIn}, 1), &layout}), doctest::Contains("read before"),
                       Error);
}
