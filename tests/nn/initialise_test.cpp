#include "nn/initialise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

using namespace unroll;
using doctest::Approx;

namespace {

struct Statistics {
  double mean = 0, deviation = 0, least = 0, most = 0;
};
Statistics of(const Tensor& t) {
  const std::vector<double> x = t.values();
  Statistics s;
  for (double v : x) s.mean += v / static_cast<double>(x.size());
  for (double v : x) s.deviation += (v - s.mean) * (v - s.mean) / static_cast<double>(x.size());
  s.deviation = std::sqrt(s.deviation);
  s.least = *std::ranges::min_element(x);
  s.most = *std::ranges::max_element(x);
  return s;
}

double largest_departure_from_orthonormal(const Tensor& t, Index begin, Index cols) {
  const Index rows = t.shape().rows();
  const bool wide = cols >= rows;
  const Index vectors = wide ? rows : cols, length = wide ? cols : rows;
  auto at = [&](Index v, Index i) {
    return t.at((wide ? v : i) * t.shape().cols() + begin + (wide ? i : v));
  };
  double worst = 0;
  for (Index a = 0; a < vectors; ++a)
    for (Index b = 0; b <= a; ++b) {
      double product = 0;
      for (Index i = 0; i < length; ++i) product += at(a, i) * at(b, i);
      worst = std::max(worst, std::abs(product - (a == b ? 1 : 0)));
    }
  return worst;
}

}  // namespace

TEST_CASE("what is filled from a generator that is not wanted is left as it is") {
  Generator unused = Generator::unused(), part = unused.split();
  Tensor t(Shape{3, 6});
  using namespace initialise;
  uniform(t, unused, 1, 2), normal(t, unused, 5, 1), glorot_uniform(t, part), glorot_normal(t, part);
  he_uniform(t, unused), he_normal(t, unused), orthogonal(t, unused);
  chrono(gate(t, 0, 2), gate(t, 1, 2), 9, unused);
  CHECK(t.values() == std::vector<double>(18, 0.0));
  CHECK_THROWS_AS(uniform(t, unused, 2, 1), Error);
  const Generator wanted;
  CHECK(wanted.wanted());
}

TEST_CASE("distributions have their moments and bounds") {
  const Index in = 300, out = 200;
  const double count = static_cast<double>(in * out);
  Generator generator(7);
  struct Case {
    std::string name;
    std::function<void(Tensor&)> fill;
    double mean, deviation, bound;  // bound 0: normal
  };
  const double glorot = std::sqrt(2.0 / 500), he = std::sqrt(2.0 / 300);
  using namespace initialise;
  const Case cases[] = {
      {"uniform", [&](Tensor& t) { uniform(t, generator, -1, 3); }, 1, 4 / std::sqrt(12.0), 2},
      {"normal", [&](Tensor& t) { normal(t, generator, 2, 0.5); }, 2, 0.5, 0},
      {"glorot_uniform", [&](Tensor& t) { glorot_uniform(t, generator); }, 0, glorot,
       glorot * std::sqrt(3.0)},
      {"glorot_normal", [&](Tensor& t) { glorot_normal(t, generator, 2); }, 0, 2 * glorot, 0},
      {"he_uniform", [&](Tensor& t) { he_uniform(t, generator); }, 0, he, he * std::sqrt(3.0)},
      {"he_normal", [&](Tensor& t) { he_normal(t, generator, kLinearGain, Fan::out); }, 0,
       std::sqrt(1.0 / 200), 0},
  };
  for (const Case& c : cases)
    for (DType dtype : {f32, f64}) {
      INFO(c.name);
      Tensor t(Shape{in, out}, dtype);
      c.fill(t);
      const Statistics s = of(t);
      CHECK(std::abs(s.mean - c.mean) < 5 * c.deviation / std::sqrt(count));
      CHECK(s.deviation == Approx(c.deviation).epsilon(5 / std::sqrt(count)));
      if (c.bound > 0) {
        CHECK(s.least >= c.mean - c.bound * (1 + 1e-6));
        CHECK(s.most <= c.mean + c.bound * (1 + 1e-6));
        CHECK(s.most - s.least > 1.99 * c.bound);
      } else {
        CHECK(s.most > c.mean + 3 * c.deviation);
      }
    }
  CHECK(leaky_relu_gain(0) == Approx(kReluGain).epsilon(1e-15));
}

TEST_CASE("f32 and f64 start alike, and equal seeds give equal numbers") {
  Tensor narrow(Shape{5, 7}, f32), wide(Shape{5, 7}, f64), again(Shape{5, 7}, f64);
  Generator a(3), b(3), c(3);
  initialise::glorot_normal(narrow, a);
  initialise::glorot_normal(wide, b);
  initialise::glorot_normal(again, c);
  CHECK(again.values() == wide.values());
  CHECK(wide.to(f32).values() == narrow.values());
}

TEST_CASE("orthogonal matrices are orthogonal to 1e-12 for any aspect") {
  Generator generator(11);
  for (const Shape& shape :
       {Shape{1, 1}, Shape{1, 5}, Shape{5, 1}, Shape{32, 32}, Shape{33, 33}, Shape{64, 17}, Shape{17, 64},
        Shape{130, 130}, Shape{100, 257}, Shape{0, 3}, Shape{3, 0}}) {
    INFO(to_string(shape));
    Tensor t(shape, f64);
    initialise::orthogonal(t, generator);
    CHECK(largest_departure_from_orthonormal(t, 0, shape.cols()) < 1e-12);
  }
  Tensor scaled(Shape{40, 40}, f64);
  initialise::orthogonal(scaled, generator, 3);
  double norm = 0;
  for (Index i = 0; i < 40; ++i) norm += scaled.at(i) * scaled.at(i);
  CHECK(norm == Approx(9).epsilon(1e-12));
}

TEST_CASE("orthogonal matrices have no preferred sign") {
  // Without the convention on R's diagonal, the first entry of a 2 x 2 matrix would have one sign.
  Generator generator(5);
  int positive = 0, reflections = 0;
  for (int i = 0; i < 1000; ++i) {
    Tensor t(Shape{2, 2}, f64);
    initialise::orthogonal(t, generator);
    positive += t.at(0) > 0;
    reflections += t.at(0) * t.at(3) - t.at(1) * t.at(2) < 0;
  }
  CHECK(std::abs(positive - 500) < 80);
  CHECK(std::abs(reflections - 500) < 80);
}

TEST_CASE("each gate of a recurrent matrix may be initialised for itself") {
  Generator generator(1);
  Parameter weight("w", Shape{6, 24}, f64);
  weight.value().fill(9);
  for (Index k : {0, 1, 3}) initialise::orthogonal(gate(weight, k, 4), generator);
  for (Index k : {0, 1, 3}) CHECK(largest_departure_from_orthonormal(weight.value(), k * 6, 6) < 1e-12);
  initialise::identity(gate(weight, 1, 4), 0.5);
  for (Index r = 0; r < 6; ++r)
    for (Index c = 0; c < 6; ++c) {
      CHECK(weight.value().at(r * 24 + 6 + c) == (r == c ? 0.5 : 0));
      CHECK(weight.value().at(r * 24 + 12 + c) == 9);
    }
  initialise::zeros(Block(weight, 12, 2));
  CHECK(weight.value().at(12) == 0);
  CHECK(weight.value().at(14) == 9);
}

TEST_CASE("gate biases") {
  Generator generator(2);
  Parameter bias("b", Shape{4000}, f64);
  initialise::forget_gate_bias(gate(bias, 1, 4));
  CHECK(of(bias.value()).mean == Approx(0.25).epsilon(1e-12));
  CHECK(bias.value().at(999) == 0);
  CHECK(bias.value().at(1000) == 1);

  initialise::chrono(gate(bias, 1, 4), gate(bias, 0, 4), 50, generator);
  double mean = 0, most = 0;
  for (Index i = 0; i < 1000; ++i) {
    const double forget = bias.value().at(1000 + i);
    CHECK(bias.value().at(i) == -forget);
    CHECK(forget >= 0);
    mean += std::exp(forget) / 1000;
    most = std::max(most, std::exp(forget));
  }
  CHECK(most <= 49.0001);
  CHECK(most > 47);
  CHECK(mean == Approx(25).epsilon(0.06));  // of U[1, 49]: 4 standard errors of 14 / sqrt(1000)
  CHECK(bias.value().at(2500) == 0);
}

TEST_CASE("blocks and shapes that do not fit are refused") {
  Generator generator;
  Tensor t(Shape{3, 4}), bias(Shape{4});
  using doctest::Contains;
  CHECK_THROWS_WITH_AS(Block(t, 2, 3), Contains("columns 2 to 5 of a tensor of shape [3, 4] came"), Error);
  CHECK_THROWS_WITH_AS(gate(t, 0, 3), Contains("gate 0 of 3 in a tensor of shape [3, 4] came"), Error);
  CHECK_THROWS_AS(gate(t, 4, 4), Error);
  CHECK_THROWS_WITH_AS(initialise::identity(t), Contains("3 rows and 4 columns came; needed a square"),
                       Error);
  CHECK_THROWS_WITH_AS(initialise::orthogonal(bias, generator), Contains("[4] came; needed a weight"), Error);
  CHECK_THROWS_AS(initialise::he_normal(bias, generator), Error);
  CHECK_THROWS_AS(initialise::uniform(t, generator, 1, 0), Error);
  CHECK_THROWS_AS(initialise::normal(t, generator, 0, -1), Error);
  CHECK_THROWS_AS(initialise::chrono(gate(bias, 0, 2), gate(bias, 1, 2), 1, generator), Error);
  CHECK_THROWS_AS(initialise::chrono(gate(bias, 0, 2), gate(bias, 1, 4), 9, generator), Error);
}
