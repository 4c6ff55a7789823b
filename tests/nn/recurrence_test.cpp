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
#include "tests/nn/every_cell.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using tests::both_directions;
using tests::each_cell;
using tests::one_direction;
using tests::random_tensor;
using tests::randomise;

namespace {

// Relative to the largest number, or to 1.
double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, scale = 1;
  for (Index i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
    scale = std::max(scale, std::abs(b.at(i)));
  }
  return worst / scale;
}

constexpr Index kIn = 3, kHidden = 4;

const std::vector<std::vector<int>> kLengths = {{1}, {4}, {3, 3}, {2, 4, 1}, {1, 1, 1}, {5, 2, 2, 3}};

// A number of a layer's outputs and last states.
template <class Layer>
Var loss_of(const Layer& layer, Var x, const Layout& layout) {
  const auto result = layer(PackedSequence{x, &layout});
  const Tensor weight = random_tensor(result.outputs.rows.shape(), 8);
  return ops::sum(result.outputs.rows * x.tape().constant(weight)) + ops::sum(square(final_state(result)));
}

template <class Layer>
void check_layer(Layer layer) {
  randomise(layer);
  for (const auto& lengths : kLengths) {
    const Layout layout(lengths);
    CAPTURE(layout.rows());
    const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
    const GradientCheck by_parameters = check_gradient(
        [&](Tape& tape) { return loss_of(layer, tape.constant(xs), layout); }, parameters(layer));
    // A single step from zeros has no use for recurrent weights: their gradient is exactly zero.
    CHECK_MESSAGE(by_parameters.error < 1e-6, by_parameters.where);
    const std::vector<Tensor> inputs{xs};
    const GradientCheck by_input =
        check_gradient([&](Tape&, std::span<const Var> x) { return loss_of(layer, x[0], layout); }, inputs);
    CHECK_MESSAGE(by_input.error < 1e-6, by_input.where);
  }
}

// The same numbers in f32 as in f64, up to its accuracy.
template <class Layer>
void check_single_precision(Layer layer) {
  randomise(layer);
  const Layout layout(kLengths.back());
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  auto run = [&](DType dtype) {
    convert(layer, dtype);
    Tape tape(dtype);
    Gradients gradients;
    const Var loss = loss_of(layer, tape.constant(xs), layout);
    std::vector<Tensor> numbers{loss.tensor()};
    tape.backward(loss, gradients);
    for (const NamedParameter& p : parameters(layer)) numbers.push_back(gradients.dense(*p.parameter));
    return numbers;
  };
  const std::vector<Tensor> single = run(f32), precise = run(f64);  // which rounds its parameters for both
  for (std::size_t i = 0; i < single.size(); ++i) {
    CHECK(single[i].dtype() == f32);
    CHECK(difference(single[i], precise[i]) < 1e-5);
  }
}

// Columns of one sequence in the order of time.
Tensor sequence_of(const Tensor& rows, const Layout& layout, Index s) {
  const Index cols = rows.shape().cols();
  Tensor own({layout.length(s), cols}, f64);
  for (Index t = 0; t < layout.length(s); ++t)
    for (Index c = 0; c < cols; ++c) own.set(t * cols + c, rows.at(layout.row(s, t) * cols + c));
  return own;
}

Tensor row_of(const Tensor& t, Index r) {
  const Index cols = t.shape().cols();
  Tensor row({1, cols}, f64);
  for (Index c = 0; c < cols; ++c) row.set(c, t.at(r * cols + c));
  return row;
}

// Gives at odd steps what the step before has put by, so that outputs are not made in the order of steps.
struct Late {
  struct State {
    Var out, kept;
  };
  Parameter w{"w", {kIn, kHidden}};
  bool viewed;  // as a view, which cannot move
  explicit Late(bool v) : viewed(v) { randomise(*this); }

  Var project(Var xs) const { return matmul(xs, w); }
  State step(Projected x, State s) const {
    const Var v = x;
    if (v.tape().time_step() % 2 == 1) return {viewed ? v.tape().rows(s.kept, 0, v.rows()) : s.kept, tanh(v)};
    const Var kept = tanh(v);
    return {kept * v + s.out, kept};
  }
  State initial(Tape& t, Index batch) const { return {t.zeros({batch, kHidden}), t.zeros({batch, kHidden})}; }
  void members(Members& m) { m("w", w); }
};

}  // namespace

TEST_CASE("outputs that are not made in the order of steps") {
  const Layout layout(std::vector<int>{4, 4});
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  auto gradient = [&](bool viewed) {
    const Late cell(viewed);
    Tape tape(f64);
    tape.poison(true);
    Gradients gradients;
    const Var x = tape.variable(xs);
    tape.backward(ops::sum(square(scan(cell, {x, &layout}).outputs.rows)), gradients);
    return tape.gradient(x);
  };
  CHECK(difference(gradient(false), gradient(true)) < 1e-12);
}

TEST_CASE("every cell, direction and depth has the right gradient on ragged batches") {
  each_cell(kHidden, [](const std::string& name, auto make, Index width) {
    for (int depth : {1, 2}) {
      CAPTURE(name);
      CAPTURE(depth);
      check_layer(one_direction(make, kIn, width, depth));
      check_layer(both_directions(make, kIn, width, depth));
      check_single_precision(one_direction(make, kIn, width, depth));
      check_single_precision(both_directions(make, kIn, width, depth));
    }
    CAPTURE(name + " in reverse");
    check_layer(Unidirectional<decltype(make(kIn))>{make(kIn), Order::reverse});
  });
}

TEST_CASE("residual stacks have the right gradient") {
  Generator generator(2);
  Stack<Unidirectional<Lstm>> forward;
  Stack<Bidirectional<Gru>> both;
  for (Index layer = 0; layer < 3; ++layer) {
    forward.layers.push_back({Lstm(layer == 0 ? kIn : kHidden, kHidden, generator)});
    both.layers.push_back({Gru(layer == 0 ? kIn : 2 * kHidden, kHidden, generator),
                           Gru(layer == 0 ? kIn : 2 * kHidden, kHidden, generator)});
  }
  forward.residual = both.residual = true;
  check_layer(forward);
  check_layer(both);
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

TEST_CASE("a ragged batch equals its sequences one by one, for every cell in both directions") {
  const Layout layout(std::vector<int>{2, 5, 1, 5, 3});
  const Tensor xs = random_tensor({layout.rows(), kIn}, 13);
  each_cell(kHidden, [&](const std::string& name, auto make, Index) {
    CAPTURE(name);
    Bidirectional<decltype(make(kIn))> net{make(kIn), make(kIn)};
    randomise(net);
    Tape tape(f64);
    const auto all = net(PackedSequence{tape.constant(xs), &layout});
    const Tensor outputs = all.outputs.rows.tensor();
    for (Index s = 0; s < layout.batch(); ++s) {
      const Layout single = Layout::uniform(1, layout.length(s));
      Tape alone(f64);
      const auto one = net(PackedSequence{alone.constant(sequence_of(xs, layout, s)), &single});
      CHECK(difference(sequence_of(outputs, layout, s), one.outputs.rows.tensor()) < 1e-12);
      auto check_states = [s](auto batch, auto own) {
        for (std::size_t f = 0; f < nn::fields(own).size(); ++f)
          CHECK(difference(row_of(nn::fields(batch)[f]->tensor(), s), nn::fields(own)[f]->tensor()) < 1e-12);
      };
      check_states(all.last_forward, one.last_forward);
      check_states(all.last_reverse, one.last_reverse);
    }
  });
}

TEST_CASE("truncated backpropagation: carried values give the outputs of one long pass, ragged or not") {
  using Pieces = std::vector<std::vector<int>>;  // how many steps of each sequence come in each pass
  for (const Pieces& pieces :
       {Pieces{{4, 4, 4}, {4, 4, 4}, {4, 4, 4}}, Pieces{{2, 1, 3}, {1, 3, 2}, {3, 3, 1}}})
    each_cell(kHidden, [&](const std::string& name, auto make, Index width) {
      CAPTURE(name);
      auto net = one_direction(make, kIn, width, 2);
      randomise(net);
      std::vector<int> lengths(pieces[0].size());
      for (const auto& piece : pieces)
        for (std::size_t s = 0; s < lengths.size(); ++s) lengths[s] += piece[s];
      const Layout whole(lengths);
      const Tensor xs = random_tensor({whole.rows(), kIn}, 14);
      Tape tape(f64);
      const Tensor expected = net(PackedSequence{tape.constant(xs), &whole}).outputs.rows.tensor();

      Carry carry;
      Tape pass(f64);
      std::vector<Index> done(lengths.size());
      for (const auto& piece : pieces) {
        const Layout part(piece);
        Tensor in({part.rows(), kIn}, f64), out({part.rows(), width}, f64);
        for (Index s = 0; s < part.batch(); ++s)
          for (Index t = 0; t < part.length(s); ++t) {
            const Index from = whole.row(s, done[static_cast<std::size_t>(s)] + t), to = part.row(s, t);
            for (Index c = 0; c < kIn; ++c) in.set(to * kIn + c, xs.at(from * kIn + c));
            for (Index c = 0; c < width; ++c) out.set(to * width + c, expected.at(from * width + c));
          }
        for (std::size_t s = 0; s < done.size(); ++s) done[s] += piece[s];
        const Carry before = carry;
        pass.clear();
        CHECK(difference(net(PackedSequence{pass.constant(in), &part}, carry).outputs.rows.tensor(), out) <
              1e-12);
        // The gradient stops at the border but is right within the piece.
        const GradientCheck check = check_gradient(
            [&](Tape& t) {
              Carry mine = before;
              return ops::sum(square(net(PackedSequence{t.constant(in), &part}, mine).outputs.rows));
            },
            parameters(net));
        CHECK_MESSAGE(check.error < 1e-6, check.where);
      }
    });
}

namespace {

// The cells from named ops, out of place, as their formulas stand in nn/cells.h.

struct ComposedLstm {
  const Lstm& cell;
  Var project(Var x) const { return matmul(x, cell.weight_ih) + cell.bias; }
  Lstm::State step(Var x, Lstm::State s) const {
    auto [i, f, g, o] = ops::split<4>(x + matmul(s.h, cell.weight_hh));
    if (cell.peephole_i) i = i + s.c * *cell.peephole_i, f = f + s.c * *cell.peephole_f;
    const Var c = sigmoid(f) * s.c + sigmoid(i) * tanh(g);
    if (cell.peephole_o) o = o + c * *cell.peephole_o;
    return {sigmoid(o) * tanh(c), c};
  }
  Lstm::State initial(Tape& tape, Index batch) const { return cell.initial(tape, batch); }
};

struct ComposedGru {
  const Gru& cell;
  Var project(Var x) const { return matmul(x, cell.weight_ih) + cell.bias; }
  Var step(Var x, Var h) const {
    const auto [x_r, x_z, x_n] = ops::split<3>(x);
    const Var recurrent = matmul(h, cell.weight_hh);
    const Var r = sigmoid(x_r + columns(recurrent, 0, kHidden));
    const Var z = sigmoid(x_z + columns(recurrent, kHidden, kHidden));
    const Var n = cell.weight_hn ? tanh(x_n + matmul(r * h, *cell.weight_hn))
                                 : tanh(x_n + r * (columns(recurrent, 2 * kHidden, kHidden) + *cell.bias_hn));
    return (1 - z) * n + z * h;
  }
  Var initial(Tape& tape, Index batch) const { return cell.initial(tape, batch); }
};

template <class Composed, class C>
void check_composed(C cell) {
  randomise(cell);
  const Layout layout(std::vector<int>{3, 5, 2});
  const Tensor xs = random_tensor({layout.rows(), kIn}, 15);
  auto run = [&](const auto& form, Gradients& gradients) {
    Tape tape(f64);
    const auto result = scan(form, {tape.constant(xs), &layout});
    tape.backward(ops::sum(square(result.outputs.rows)), gradients);
    return result.outputs.rows.tensor();
  };
  Gradients fused, composed;
  const Tensor fused_outputs = run(cell, fused), composed_outputs = run(Composed{cell}, composed);
  CHECK(difference(fused_outputs, composed_outputs) < 1e-13);
  for (const NamedParameter& p : parameters(cell))
    CHECK_MESSAGE(difference(fused.dense(*p.parameter), composed.dense(*p.parameter)) < 1e-12, p.path);
}

}  // namespace

TEST_CASE("fused and composed forms of a cell agree") {
  Generator generator(6);
  check_composed<ComposedLstm>(Lstm(kIn, kHidden, generator));
  check_composed<ComposedLstm>(Lstm(kIn, kHidden, generator, {.peepholes = true}));
  check_composed<ComposedGru>(Gru(kIn, kHidden, generator, Reset::after));
  check_composed<ComposedGru>(Gru(kIn, kHidden, generator, Reset::before));
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
