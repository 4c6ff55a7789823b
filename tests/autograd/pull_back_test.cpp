#include <doctest/doctest.h>

#include <cmath>

#include "autograd/observer.h"
#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using autograd::Phase;
using autograd::Step;

namespace {

// The steps of a pass: their nodes, and their states as they come and go.
struct Steps : Observer {
  struct Taken {
    std::uint32_t begin, end;
    std::vector<Var> before, after;
  };
  std::vector<Taken> all;
  void step(Tape& tape, const Step& step) override {
    all.push_back(
        {static_cast<std::uint32_t>(tape.nodes().size()), 0, {step.before.begin(), step.before.end()}, {}});
  }
  void state(Tape& tape, std::span<const Var> fields) override {
    all.back().end = static_cast<std::uint32_t>(tape.nodes().size());
    all.back().after.assign(fields.begin(), fields.end());
  }
};

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.at(i) - b.at(i)));
  return largest;
}

// Goes back from the last state step by step; the truth is the gradient of the initial state in backward.
template <class C>
void check_chain(const C& cell, bool after_backward) {
  const Layout layout = Layout::uniform(3, 6);

  Tape tape(f64);
  Gradients gradients, unasked;
  Steps steps;
  const auto attached = tape.attach(steps);
  auto initial = cell.initial(tape, 3);
  for (Var* v : nn::fields(initial)) *v = tape.variable(tests::random_tensor(v->shape(), 7));
  const Var xs = tape.constant(tests::random_tensor({18, 3}, 8));
  auto last = scan(cell, {xs, &layout}, Order::forward, std::optional(initial)).last;
  std::vector<Tensor> seeds;
  Var loss;
  for (Var* v : nn::fields(last)) {
    seeds.push_back(tests::random_tensor(v->shape(), 9));
    const Var term = ops::sum(*v * tape.constant(seeds.back()));
    loss = loss.defined() ? loss + term : term;
  }
  REQUIRE(steps.all.size() == 6);
  auto go_back = [&] {
    std::vector<Tensor> slopes = seeds;
    for (std::size_t i = steps.all.size(); i-- > 0;) {
      const auto& s = steps.all[i];
      slopes = tape.pull_back(s.begin, s.end, s.after, slopes, s.before);
    }
    return slopes;
  };
  std::vector<Tensor> slopes;
  const std::size_t used = tape.pool().used();
  if (!after_backward) slopes = go_back();
  CHECK(tape.pool().used() == used);
  tape.backward(loss, gradients);
  if (after_backward) slopes = go_back();
  std::size_t f = 0;
  for (const Var* v : nn::fields(initial)) CHECK(largest_difference(slopes[f++], tape.gradient(*v)) < 1e-12);

  // And backward gives what it gives without.
  Tape plain(f64);
  auto first = cell.initial(plain, 3);
  for (Var* v : nn::fields(first)) *v = plain.constant(tests::random_tensor(v->shape(), 7));
  auto end = scan(cell, {plain.constant(tests::random_tensor({18, 3}, 8)), &layout}, Order::forward,
                  std::optional(first))
                 .last;
  Var again;
  f = 0;
  for (Var* v : nn::fields(end)) {
    const Var term = ops::sum(*v * plain.constant(seeds[f++]));
    again = again.defined() ? again + term : term;
  }
  plain.backward(again, unasked);
  unasked.each([&](const Gradients::Entry& e) {
    CHECK(largest_difference(gradients.find(&e.parameter())->buffer(), e.buffer()) == 0);
  });
}

template <class C>
void check_chains(C cell) {
  tests::randomise(cell);
  check_chain(cell, false);
  check_chain(cell, true);
}

}  // namespace

TEST_CASE("pulled back through step after step, a seed becomes the gradient of backward") {
  Generator generator(1);
  check_chains(Elman(3, 4, generator));
  check_chains(Lstm(3, 4, generator));
  check_chains(Lstm(3, 4, generator, {.peepholes = true, .projection = 2}));
  check_chains(Gru(3, 4, generator));
  check_chains(Gru(3, 4, generator, Reset::before));
  check_chains(MinimalGatedUnit(3, 4, generator));
}

TEST_CASE("a product of two values that both depend on the input is pulled back whole") {
  Tape tape(f64);
  const Var x = tape.variable(tests::random_tensor({3, 3}, 1));
  const Var y = matmul(x, tanh(x));  // the right operand's derivative is deferred in backward
  const Tensor seed = tests::random_tensor({3, 3}, 2);
  const auto end = static_cast<std::uint32_t>(tape.nodes().size());
  const Tensor pulled = tape.pull_back(0, end, {&y, 1}, {&seed, 1}, {&x, 1})[0];
  Gradients none;
  tape.backward(y, seed, none);
  CHECK(largest_difference(pulled, tape.gradient(x)) == 0);
}

TEST_CASE("what does not depend on the input has a derivative of zero, and the input itself its seed") {
  Tape tape(f64);
  const Var x = tape.variable(tests::random_tensor({2, 3}, 1));
  const Var other = tape.variable(tests::random_tensor({2, 3}, 2));
  const Var y = exp(other);
  const Tensor seed = tests::random_tensor({2, 3}, 3);
  const std::array outputs{y, x};
  const std::array seeds{seed, seed};
  CHECK(largest_difference(tape.pull_back(0, 1, outputs, seeds, {&x, 1})[0], seed) == 0);
  CHECK(largest_difference(tape.pull_back(0, 1, {&y, 1}, {&seed, 1}, {&x, 1})[0], Tensor({2, 3}, f64)) == 0);
}
