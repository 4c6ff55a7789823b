#include "autograd/inspect/watch/gates.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "autograd/inspect/watch/flow.h"
#include "nn/nn.h"
#include "ops/pointwise.h"
#include "ops/simd/denormals.h"
#include "tests/nn/minimal_gated_unit.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::Flow;
using inspect::Gate;

namespace {

// What `cell` shows over all elements.
template <class C>
std::vector<Gate> gates_of(const C& cell, const std::vector<int>& lengths, Index elements = 1 << 20,
                           Order order = Order::forward, DType dtype = f64) {
  const Layout layout(lengths);
  Tape tape(dtype);
  Flow flow({.gate_elements = elements});
  const auto attached = tape.attach(flow);
  (void)scan(cell, {tape.constant(tests::random_tensor({layout.rows(), 3}, 2)), &layout}, order);
  return flow.recurrences().at(0).gates;
}
std::set<std::string> names_of(const std::vector<Gate>& gates) {
  std::set<std::string> names;
  for (const Gate& g : gates) CHECK(names.insert(g.name).second);
  return names;
}

// An Elman cell with gates made of ops, and a lambda that uses all the vocabulary.
struct Odd {
  Linear input;
  explicit Odd(Generator& generator) : input(3, 37, generator) {}
  Var project(Var xs) const { return input(xs); }
  Var step(Projected x, Var h) const {
    const Var sum = x.value() + h;
    const Var twice = sigmoid(sum) * sigmoid(sum * 2.0);
    return pointwise(
        "odd",
        [](auto a, auto b, auto row) {
          auto m = (a < 0.5) | is_nan(a);
          auto chosen = select(m & (b >= -5.0), tanh(a + row), 0.25);
          auto rest = exp(min(a, b)) - expm1(b) / 3.0 + log(square(a) + 1.0) * log1p(abs(b)) +
                      sqrt(a * a + 2.0) + sin(a) * cos(b) + erf(-a) + pow(abs(a) + 1.0, b) + pow(a, 2.0) +
                      clamp(a, -1.0, 1.0) + gelu(a) + elu(a, 1.0) + softplus(b) + leaky_relu(a, 0.1) +
                      max(a, 1.0 - b) + 2.0 / (2.0 + b * b);
          return tanh(chosen * 0.5 + 0.001 * rest) + relu(b, "rest");
        },
        sum, twice, input.bias);
  }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, 37}); }
  void members(Members& m) { m("input", input); }
};

}  // namespace

TEST_CASE("the gates of the built-in cells go by their names") {
  Generator generator(1);
  const std::set<std::string> lstm{"forget", "input", "candidate", "output", "tanh(c)"};
  CHECK(names_of(gates_of(Lstm(3, 4, generator), {3, 2})) == lstm);
  CHECK(names_of(gates_of(Lstm(3, 4, generator, {.peepholes = true}), {3, 2})) == lstm);
  const std::set<std::string> gru{"reset", "update", "candidate"};
  CHECK(names_of(gates_of(Gru(3, 4, generator), {3, 2})) == gru);
  CHECK(names_of(gates_of(Gru(3, 4, generator, Reset::before), {3, 2})) == gru);
  CHECK(names_of(gates_of(Elman(3, 4, generator), {3, 2})) == std::set<std::string>{"tanh"});
  CHECK(names_of(gates_of(Elman(3, 4, generator, ops::relu), {3, 2})) == std::set<std::string>{"relu"});
}

TEST_CASE("the gates of a cell of one's own are found without a word") {
  Generator generator(1);
  CHECK(names_of(gates_of(MinimalGatedUnit(3, 4, generator), {3, 2})) ==
        std::set<std::string>{"sigmoid", "mgu tanh(2)"});
  CHECK(names_of(gates_of(Odd(generator), {3, 2})) ==
        std::set<std::string>{"sigmoid", "sigmoid 2", "odd tanh(1,3)", "odd tanh(1,2,3)", "rest"});
}

TEST_CASE("shares are those of the numbers that the gates give") {
  Generator generator(1);
  Lstm cell(3, 45, generator);
  tests::randomise(cell, 2);
  for (const DType dtype : {f32, f64})
    for (const Order order : {Order::forward, Order::reverse}) {
      const std::vector<int> lengths{4, 2, 5};
      const auto gates = gates_of(cell, lengths, 1 << 20, order, dtype);
      const Layout layout(lengths);
      // The same from the sums of the gates, computed apart.
      Tape tape(f64);
      const Var xs = tape.constant(tests::random_tensor({layout.rows(), 3}, 2));
      const Tensor projected = cell.project(xs).tensor();
      const Tensor h = scan(cell, {xs, &layout}, order).outputs.rows.tensor();
      const char* names[] = {"input", "forget", "candidate", "output"};
      for (int g = 0; g < 4; ++g) {
        const auto gate = std::ranges::find(gates, std::string(names[g]), &Gate::name);
        REQUIRE(gate != gates.end());
        for (Index t = 0; t < layout.steps(); ++t) {
          int low = 0, high = 0, count = 0;
          for (Index b = 0; b < layout.batch(); ++b) {
            if (t >= layout.length(b)) continue;
            const Index before = order == Order::forward ? t - 1 : t + 1;
            for (Index k = 0; k < 45; ++k, ++count) {
              double sum = projected.at(layout.row(b, t) * 180 + g * 45 + k);
              if (before >= 0 && before < layout.length(b))
                for (Index j = 0; j < 45; ++j)
                  sum +=
                      h.at(layout.row(b, before) * 45 + j) * cell.weight_hh.value().at(j * 180 + g * 45 + k);
              const double y = g == 2 ? std::tanh(sum) : 1 / (1 + std::exp(-sum));
              low += y < (g == 2 ? -0.9 : 0.1);
              high += y > 0.9;
            }
          }
          INFO(names[g] << " at step " << t);
          CHECK(gate->low[static_cast<std::size_t>(t)] ==
                doctest::Approx(low / double(count)).epsilon(1e-12));
          CHECK(gate->high[static_cast<std::size_t>(t)] ==
                doctest::Approx(high / double(count)).epsilon(1e-12));
          CHECK(low + high > 0);
        }
      }
    }
}

TEST_CASE("a relu is at its end where it is 0, as in training where denormals are flushed") {
  Generator generator(1);
  const Elman cell(3, 50, generator, ops::relu);
  const Layout layout = Layout::uniform(2, 1);
  for (const bool flush : {false, true}) {
    std::optional<FlushDenormals> flushed;
    if (flush) flushed.emplace();
    Tape tape;
    Flow flow({.gate_elements = 100});
    const auto attached = tape.attach(flow);
    const Var h = scan(cell, {tape.constant(tests::random_tensor({2, 3}, 2)), &layout}).outputs.rows;
    int zeros = 0;
    for (const double x : h.tensor().values()) zeros += x == 0;
    CHECK(zeros > 0);
    const Gate& gate = flow.recurrences()[0].gates.at(0);
    CHECK(gate.low[0] == zeros / 100.0);
    CHECK(gate.high[0] == 0);
  }
}

TEST_CASE("a sample of the elements is near all of them") {
  Generator generator(1);
  Gru cell(3, 64, generator);
  tests::randomise(cell, 1);
  const std::vector<int> lengths(40, 6);
  const auto all = gates_of(cell, lengths), some = gates_of(cell, lengths, 512);
  REQUIRE(all.size() == some.size());
  bool differs = false;
  for (std::size_t g = 0; g < all.size(); ++g)
    for (std::size_t t = 0; t < 6; ++t) {
      const double p = all[g].low[t];
      CHECK(std::abs(some[g].low[t] - p) <= 5 * std::sqrt(p * (1 - p) / 512) + 0.02);
      differs = differs || some[g].low[t] != p;
    }
  CHECK(differs);  // it is a sample
}

TEST_CASE(
    "unless it is said otherwise, the sample is small where a step does little, and it is said how small") {
  Generator generator(1);
  const Layout layout = Layout::uniform(1, 40);
  const auto counts = [&](const auto& cell, const Layout& of) {
    Tape tape;
    Flow flow;
    const auto attached = tape.attach(flow);
    (void)scan(cell, {tape.constant(tests::random_tensor({of.rows(), 3}, 2)), &of});
    const Gate& gate = flow.recurrences().at(0).gates.at(0);
    for (std::size_t t = 0; t < gate.low.size(); ++t) CHECK((gate.count[t] == 0) == std::isnan(gate.low[t]));
    return gate.count;
  };
  const auto small = counts(Gru(3, 32, generator), layout);
  CHECK(small.at(0) == 32);
  CHECK(std::ranges::count(small, 32) == 6);  // the first two steps and every eighth, all elements of them
  const auto large = counts(Gru(3, 128, generator), Layout::uniform(32, 6));
  CHECK(std::ranges::count(large, 0) == 0);
  CHECK(large.at(4) == 256);
}
