// First, so that the names of pointwise lambdas are there when the ops are lifted.
#include "ops/pointwise.h"
//
#include "nn/layers.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "autograd/gradient_check.h"
#include "nn/pooling.h"
#include "ops/reduce.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using tests::random_tensor;

namespace {

// By the parameters of a layer and by its input.
template <class Layer>
void check_layer(Layer& layer, const Shape& input) {
  const std::vector<Tensor> xs{random_tensor(input, 5)};
  auto loss = [&](Var x) {
    const Var y = layer(x);
    return y * y.tape().constant(random_tensor(y.shape(), 6));
  };
  const GradientCheck by_parameters =
      check_gradient([&](Tape& tape) { return loss(tape.constant(xs[0])); }, parameters(layer));
  CHECK_MESSAGE(by_parameters.error < 1e-6, by_parameters.where);
  const GradientCheck by_input =
      check_gradient([&](Tape&, std::span<const Var> x) { return loss(x[0]); }, xs);
  CHECK_MESSAGE(by_input.error < 1e-6, by_input.where);
}

bool same(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && a.values() == b.values(); }

}  // namespace

TEST_CASE("LayerNorm: rows of mean 0 and variance 1 at first, then scaled and shifted") {
  LayerNorm norm(6, 1e-9);
  Tape tape;
  const Tensor y = norm(tape.constant(random_tensor({4, 6}, 1))).tensor();
  for (Index r = 0; r < 4; ++r) {
    double mean = 0, square = 0;
    for (Index c = 0; c < 6; ++c)
      mean += y.at(r * 6 + c) / 6, square += y.at(r * 6 + c) * y.at(r * 6 + c) / 6;
    CHECK(std::abs(mean) < 1e-6);
    CHECK(square == doctest::Approx(1).epsilon(1e-5));
  }
  tests::randomise(norm);
  const Tensor x = random_tensor({1, 6}, 2);
  Tape precise(f64);
  const Tensor z = norm(precise.constant(x)).tensor();
  double mean = 0, variance = 0;
  for (double v : x.values()) mean += v / 6;
  for (double v : x.values()) variance += (v - mean) * (v - mean) / 6;
  for (Index c = 0; c < 6; ++c)
    CHECK(z.at(c) == doctest::Approx(norm.gain.value().at(c) * (x.at(c) - mean) / std::sqrt(variance + 1e-9) +
                                     norm.bias.value().at(c)));
  check_layer(norm, {3, 6});
  CHECK_THROWS_WITH_AS(norm(precise.zeros({2, 5})),
                       doctest::Contains("[layer_norm] a gain of shape [6] came"), Error);
}

TEST_CASE("Dropout: itself without a generator; zeros and scaled numbers with one, in both directions") {
  Tape tape(f64);
  const Dropout dropout{0.25};
  const Var x = tape.variable(random_tensor({40, 50}, 3));
  CHECK(dropout(x, nullptr) == x);
  Generator noise(4);
  const Var y = dropout(x, &noise);
  Gradients gradients;
  tape.backward(ops::sum(y), gradients);
  const Tensor in = x.tensor(), out = y.tensor(), slope = tape.gradient(x);
  int dropped = 0;
  for (Index i = 0; i < in.size(); ++i) {
    const bool gone = slope.at(i) == 0;
    dropped += gone;
    if (!gone) REQUIRE(slope.at(i) == doctest::Approx(4 / 3.0));
    REQUIRE(out.at(i) == doctest::Approx(in.at(i) * slope.at(i)));
  }
  CHECK(dropped > 400);
  CHECK(dropped < 600);
}

TEST_CASE("Dropout of a sequence: variational drops the same numbers at all its steps, and needs steps") {
  Tape tape(f64);
  const Layout layout(std::vector<int>{4, 1, 3});
  const PackedSequence ones{tape.full({8, 40}, 1), &layout};
  Generator noise(4), again(4);
  const Dropout each{0.5}, same_ones{0.5, true};
  CHECK(each(ones, nullptr).rows == ones.rows);
  CHECK(same(each(ones, &noise).rows.tensor(), each(ones.rows, &again).tensor()));
  const Tensor kept = same_ones(ones, &noise).rows.tensor();
  auto at = [&](Index sequence, Index t, Index c) { return kept.at(layout.row(sequence, t) * 40 + c); };
  int dropped = 0;
  for (Index s = 0; s < 3; ++s)
    for (Index c = 0; c < 40; ++c) {
      dropped += at(s, 0, c) == 0;
      for (Index t = 1; t < layout.length(s); ++t) REQUIRE(at(s, t, c) == at(s, 0, c));
    }
  CHECK(dropped > 30);
  CHECK(dropped < 90);
  CHECK_THROWS_WITH_AS(same_ones(ones.rows, &noise),
                       doctest::Contains("[dropout] rows without a layout came; needed a PackedSequence"),
                       Error);
}

TEST_CASE("Sequential: modules, functions and lambdas one after the other") {
  Generator g(1);
  Sequential net{Linear(3, 5, g),
                 relu,
                 LayerNorm(5),
                 Activation(tanh),
                 [](Var x) { return x * 2.0; },
                 [](Var x, SourceLocation location) { return leaky_relu(x, 0.1, location); },
                 Linear(5, 2, g)};
  tests::randomise(net);
  Tape tape(f64);
  const Var x = tape.constant(random_tensor({4, 3}, 2));
  const auto& [first, f, norm, h, twice, leaky, last] = net.layers;
  CHECK(same(net(x).tensor(), last(leaky_relu(tanh(norm(relu(first(x)))) * 2.0, 0.1)).tensor()));
  check_layer(net, {4, 3});
  std::vector<std::string> paths;
  for (const NamedParameter& p : parameters(net)) paths.push_back(p.path);
  CHECK(paths == std::vector<std::string>{"0.weight", "0.bias", "2.gain", "2.bias", "6.weight", "6.bias"});
}

TEST_CASE("Sequential hands its generator to the layers that have noise") {
  Generator g(1);
  Sequential net{Linear(3, 8, g), Dropout{0.5}, Sequential{relu, Dropout{0.5}}, Linear(8, 2, g)};
  tests::randomise(net);
  Tape tape(f64);
  const Var x = tape.constant(random_tensor({6, 3}, 2));
  const Tensor still = net(x).tensor();
  CHECK(same(still, net(x).tensor()));
  Generator noise(7), again(7), other(8);
  const Tensor noisy = net(x, &noise).tensor();
  CHECK_FALSE(same(noisy, still));
  CHECK(same(noisy, net(x, &again).tensor()));
  CHECK_FALSE(same(noisy, net(x, &other).tensor()));
  Generator by_hand(7);
  const auto& [first, drop, inner, last] = net.layers;
  CHECK(same(noisy, last(inner(drop(first(x), &by_hand), &by_hand)).tensor()));

  Sequential with_head{Linear(3, 4, g), Head(4, 2, g, {.hidden = {5}, .dropout = 0.5})};
  convert(with_head, f64);
  CHECK_FALSE(same(with_head(x).tensor(), with_head(x, &noise).tensor()));
}

TEST_CASE("a module without inputs or outputs is refused where it is made") {
  Generator g(1);
  auto refuses = [](auto make, const char* message) {
    CHECK_THROWS_WITH_AS(make(), doctest::Contains(message), Error);
    CHECK_THROWS_WITH_AS(make(), doctest::Contains("layers_test.cpp:"), Error);
  };
  refuses([&] { Linear(0, 4, g); }, "[linear] widths 0 and 4 came; needed at least 1 (");
  refuses([&] { Linear(4, -1, g); }, "[linear] widths 4 and -1 came; needed at least 1 (");
  refuses([&] { Embedding(0, 3, g); }, "[embedding] widths 0 and 3 came; needed at least 1 (");
  refuses([&] { Elman(0, 3, g); }, "[elman] widths 0 and 3 came; needed at least 1 (");
  refuses([&] { Lstm(2, 0, g); }, "[lstm] widths 2 and 0 came; needed at least 1 (");
  refuses([&] { Lstm(2, 3, g, LstmOptions{.projection = -2}); },
          "[lstm] a projection to -2 came; needed at least 1, or 0 for none (");
  refuses([&] { Gru(2, 0, g); }, "[gru] widths 2 and 0 came; needed at least 1 (");
  refuses([&] { Head(4, 0, g); }, "[linear] widths 4 and 0 came; needed at least 1 (");
  refuses([&] { Pooling(Pool::attention, 0, g); }, "[linear] widths 0 and 64 came; needed at least 1 (");
}
