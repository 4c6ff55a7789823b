#include "ops/dropout.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "ops/reduce.h"

using namespace unroll;

TEST_CASE("elements are dropped with the probability asked for, and the rest scaled") {
  for (double p : {1e-6, 0.001, 0.1, 0.25, 1 / 3.0, 0.5, 0.9, 0.9999}) {
    Tape tape(f64);
    Generator generator(3);
    constexpr Index kCount = 4000000;
    const Tensor y = dropout(tape.full({kCount}, 2), p, generator).tensor();
    double kept = 0, product = 0;
    const auto v = y.span<double>();
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (v[i] == 0) continue;
      ++kept;
      if (v[i] != 2 / (1 - p)) REQUIRE(v[i] == doctest::Approx(2 / (1 - p)).epsilon(1e-15));
      product += i > 0 && v[i - 1] != 0;
    }
    const double n = kCount, deviation = std::sqrt(n * p * (1 - p));
    CHECK(std::abs(kept - n * (1 - p)) < 5 * deviation);
    // Neighbours are independent.
    const double both = (1 - p) * (1 - p);
    CHECK(std::abs(product - n * both) < 5 * (std::sqrt(n * both * (1 - both)) + 2 * deviation));
  }
}

TEST_CASE("masks depend on the generator alone") {
  Tape tape;
  const Var x = tape.full({20, 30}, 1);
  Generator a(7), b(7), c(8);
  const Tensor first = dropout(x, 0.5, a).tensor(), again = dropout(x, 0.5, b).tensor();
  CHECK(first.values() == again.values());
  CHECK(a.state() == b.state());
  CHECK(dropout(x, 0.5, a).tensor().values() != first.values());
  CHECK(dropout(x, 0.5, c).tensor().values() != first.values());
  CHECK(dropout(x, 0, c) == x);
  const Layout layout = Layout::uniform(20, 1);
  CHECK(variational_dropout(x, layout, 0, c) == x);
}

TEST_CASE("variational dropout drops the same elements at all steps of a sequence") {
  Tape tape;
  Generator generator(5);
  const std::vector<int> lengths{3, 1, 4, 4};
  const Layout layout(lengths);
  const Tensor y = variational_dropout(tape.full({12, 40}, 1), layout, 0.5, generator).tensor();
  const auto v = y.view<float>();
  int dropped = 0;
  for (Index s = 0; s < 4; ++s)
    for (Index c = 0; c < 40; ++c) {
      dropped += v(layout.row(s, 0), c) == 0;
      for (Index t = 1; t < layout.length(s); ++t) CHECK(v(layout.row(s, t), c) == v(layout.row(s, 0), c));
    }
  CHECK(dropped > 50);
  CHECK(dropped < 110);
}

TEST_CASE("one mask for steps written by hand") {
  Tape tape(f64);
  Gradients gradients;
  Generator generator(5);
  const Var mask = dropout_mask(tape, {3, 4}, 0.5, generator);
  const Var x = tape.variable(Tensor::from({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}, f64));
  const Var y = dropout(x, mask);
  tape.backward(sum(y), gradients);
  for (Index i = 0; i < 8; ++i) {
    const double m = mask.tensor().at(i);
    CHECK((m == 0 || m == 2));
    CHECK(y.tensor().at(i) == m * x.tensor().at(i));
    CHECK(tape.gradient(x).at(i) == m);
  }
}
