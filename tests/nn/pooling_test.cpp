#include "nn/pooling.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autograd/gradient_check.h"
#include "ops/losses.h"
#include "ops/reduce.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using tests::random_tensor;

namespace {

const std::vector<int> kLengths{2, 4, 1, 4};

// What a layer above a recurrent net is given.
nn::Scanned<Var> scanned(Var rows, const Layout& layout) { return {{rows, &layout}, rows}; }

}  // namespace

TEST_CASE("pooling by mean, maximum and attention, sequence by sequence") {
  const Layout layout(kLengths);
  const Tensor xs = random_tensor({layout.rows(), 3}, 1);
  Generator g(1);
  for (Pool kind : {Pool::mean, Pool::max, Pool::attention}) {
    CAPTURE(static_cast<int>(kind));
    Pooling pool(kind, 3, g, 5);
    tests::randomise(pool);
    CHECK(parameters(pool).size() == (kind == Pool::attention ? 3 : 0));
    Tape tape(f64);
    const Tensor pooled = pool(scanned(tape.constant(xs), layout)).tensor();
    REQUIRE(pooled.shape() == Shape{4, 3});
    for (Index s = 0; s < layout.batch(); ++s) {
      const Index length = layout.length(s);
      std::vector<double> weight(static_cast<std::size_t>(length), 1 / static_cast<double>(length));
      if (kind == Pool::attention) {
        double total = 0;
        for (Index t = 0; t < length; ++t) {
          double score = 0;
          for (Index k = 0; k < 5; ++k) {
            double z = pool.projection->bias.value().at(k);
            for (Index c = 0; c < 3; ++c)
              z += xs.at(layout.row(s, t) * 3 + c) * pool.projection->weight.value().at(c * 5 + k);
            score += std::tanh(z) * pool.context->value().at(k);
          }
          total += weight[static_cast<std::size_t>(t)] = std::exp(score);
        }
        for (double& w : weight) w /= total;
      }
      for (Index c = 0; c < 3; ++c) {
        double expected = kind == Pool::max ? -1e9 : 0;
        for (Index t = 0; t < length; ++t) {
          const double x = xs.at(layout.row(s, t) * 3 + c);
          if (kind == Pool::max)
            expected = std::max(expected, x);
          else
            expected += weight[static_cast<std::size_t>(t)] * x;
        }
        CHECK(pooled.at(s * 3 + c) == doctest::Approx(expected).epsilon(1e-12));
      }
    }
    const std::vector<Tensor> inputs{xs};
    auto weighted = [&](Var x) {
      const Var y = pool(scanned(x, layout));
      return y * y.tape().constant(random_tensor(y.shape(), 2));
    };
    const GradientCheck by_input =
        check_gradient([&](Tape&, std::span<const Var> x) { return weighted(x[0]); }, inputs);
    CHECK_MESSAGE(by_input.error < 1e-6, by_input.where);
    if (kind != Pool::attention) continue;
    const GradientCheck by_parameters =
        check_gradient([&](Tape& tape) { return weighted(tape.constant(xs)); }, parameters(pool));
    CHECK_MESSAGE(by_parameters.error < 1e-6, by_parameters.where);
  }
}

TEST_CASE("a head is linear layers with an activation between, for rows of sentences or of steps") {
  Generator g(2);
  Head head(4, 3, g, {.hidden = {6, 5}, .activation = {leaky_relu, 0.1}});
  tests::randomise(head);
  REQUIRE(head.layers.size() == 3);
  const Layout layout(kLengths);
  const Tensor steps = random_tensor({layout.rows(), 4}, 3);
  Tape tape(f64);
  const Var x = tape.constant(steps);
  const Var by_hand = head.layers[2](leaky_relu(head.layers[1](leaky_relu(head.layers[0](x), 0.1)), 0.1));
  CHECK(head(x).tensor().values() == by_hand.tensor().values());
  CHECK(head(tape.rows(x, 0, 4)).shape() == Shape{4, 3});

  // A label for each step; and several labels that do not exclude each other for each row.
  std::vector<int> labels;
  for (Index r = 0; r < layout.rows(); ++r) labels.push_back(static_cast<int>(r % 4) - 1);  // -1: none
  Tensor targets({layout.rows(), 3}, f64);
  for (Index i = 0; i < targets.size(); ++i) targets.set(i, (i * 7) % 3 == 0);
  for (bool exclusive : {true, false}) {
    const GradientCheck check = check_gradient(
        [&](Tape& t) {
          const Var logits = head(t.constant(steps));
          return exclusive ? cross_entropy(logits, labels)
                           : binary_cross_entropy(logits, t.constant(targets), Over::rows);
        },
        parameters(head));
    CHECK_MESSAGE(check.error < 1e-6, check.where);
  }
  CHECK(parameters(head).back().path == "layers.2.bias");
}

TEST_CASE("dropout of a head acts before each layer, and with a generator only") {
  Generator g(3);
  Head head(4, 2, g, {.hidden = {6}, .dropout = 0.4});
  tests::randomise(head);
  Tape tape(f64);
  const Var x = tape.constant(random_tensor({5, 4}, 4));
  const Var plain = head.layers[1](relu(head.layers[0](x)));
  CHECK(head(x).tensor().values() == plain.tensor().values());
  Generator noise(9), by_hand(9);
  const Var hidden = relu(head.layers[0](dropout(x, 0.4, by_hand)));
  const Var expected = head.layers[1](dropout(hidden, 0.4, by_hand));
  CHECK(head(x, &noise).tensor().values() == expected.tensor().values());
  const GradientCheck check = check_gradient(
      [&](Tape& t) {
        Generator mask(9);
        return square(head(t.constant(x.tensor()), &mask));
      },
      parameters(head));
  CHECK_MESSAGE(check.error < 1e-6, check.where);
}

TEST_CASE("the output layer gives y_t = g(a_t W + b) at each step") {
  Generator g(4);
  OutputLayer output{Linear(3, 2, g)};
  tests::randomise(output);
  const Layout layout(kLengths);
  const Tensor xs = random_tensor({layout.rows(), 3}, 5);
  Tape tape(f64);
  const PackedSequence y = output({tape.constant(xs), &layout});
  CHECK(y.layout == &layout);
  const Tensor got = y.rows.tensor();
  for (Index r = 0; r < layout.rows(); ++r)
    for (Index k = 0; k < 2; ++k) {
      double z = output.linear.bias.value().at(k);
      for (Index c = 0; c < 3; ++c) z += xs.at(r * 3 + c) * output.linear.weight.value().at(c * 2 + k);
      CHECK(got.at(r * 2 + k) == doctest::Approx(1 / (1 + std::exp(-z))).epsilon(1e-12));
    }
  output.activation = tanh;
  const GradientCheck check = check_gradient(
      [&](Tape& t) {
        return square(output({t.constant(xs), &layout}).rows);
      },
      parameters(output));
  CHECK_MESSAGE(check.error < 1e-6, check.where);
}
