// Slopes of the vocabulary of pointwise lambdas: none loses its digits in a tail.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <string>

#include "ops/simd/functions.h"
#include "tests/ops/simd/ulp.h"

using namespace unroll;
using namespace unroll::tests;

namespace {

using Real = long double;

template <class T>
constexpr T kLargest = std::numeric_limits<T>::max();
template <class T>
constexpr T kSmallest = std::numeric_limits<T>::min();

// The slope of f by its only argument, for magnitudes from `low` to `high` of both signs, against `exact`
// to `bound` ULP.
template <class T>
void check_slope(const std::string& name, double bound, T low, T high, auto f, auto exact) {
  const Worst<T> worst = sweep<T>(
      low, high, 300'000,
      [&](Pack<T> x) {
        return f(ops::Dual<Pack<T>, 1u>{x, {Pack<T>(1.0)}}).tangent[0];
      },
      exact);
  INFO("slope of " << name << " at " << worst.at << " is " << worst.came << ", ULP " << worst.error);
  CHECK(worst.error <= bound);
}

// Beyond, slopes of gates stay where they are, just above the smallest normal number.
template <class T>
constexpr Real kLimit = sizeof(T) == 4 ? 87 : 708;

}  // namespace

// The numbers are those in dual.h.
TEST_CASE_TEMPLATE("slopes keep to their ULP over the whole range", T, float, double) {
  auto near = [](Real x, Real limit) { return std::min(std::abs(x), limit); };
  check_slope<T>(
      "exp", 2, 0, 80, [](auto x) { return exp(x); }, [](Real x) { return std::exp(x); });
  check_slope<T>(
      "expm1", 2, 0, 80, [](auto x) { return expm1(x); }, [](Real x) { return std::exp(x); });
  check_slope<T>(
      "elu", 2, 0, 80, [](auto x) { return elu(x, 1.0); }, [](Real x) { return x > 0 ? 1 : std::exp(x); });
  check_slope<T>(
      "log", 2, kSmallest<T> * 4, kLargest<T> / 8, [](auto x) { return log(x); },
      [](Real x) { return 1 / x; });
  check_slope<T>(
      "log1p", 2, T(0), T(0.999), [](auto x) { return log1p(x); }, [](Real x) { return 1 / (1 + x); });
  check_slope<T>(
      "sqrt", 2, kSmallest<T>, kLargest<T>, [](auto x) { return sqrt(abs(x)); },
      [](Real x) { return std::copysign(1 / (2 * std::sqrt(std::abs(x))), x); });
  check_slope<T>(
      "sin", 2, 0, 100, [](auto x) { return sin(x); }, [](Real x) { return std::cos(x); });
  check_slope<T>(
      "cos", 2, 0, 100, [](auto x) { return cos(x); }, [](Real x) { return -std::sin(x); });
  check_slope<T>(
      "tanh", 6, 0, kLargest<T>, [](auto x) { return tanh(x); },
      [&](Real x) { return std::pow(std::cosh(near(x, kLimit<T> / 2)), Real(-2)); });
  check_slope<T>(
      "tanh", 6, T(0x1p-8), T(64), [](auto x) { return tanh(x); },
      [&](Real x) { return std::pow(std::cosh(near(x, kLimit<T> / 2)), Real(-2)); });
  auto of_sigmoid = [&](Real x) {
    const Real e = std::exp(-near(x, kLimit<T>));
    return e / ((1 + e) * (1 + e));
  };
  check_slope<T>(
      "sigmoid", 6, 0, kLargest<T>, [](auto x) { return sigmoid(x); }, of_sigmoid);
  check_slope<T>(
      "sigmoid", 6, T(0x1p-8), T(100), [](auto x) { return sigmoid(x); }, of_sigmoid);
  check_slope<T>(
      "softplus", 4, T(0x1p-20), T(80), [](auto x) { return softplus(x); },
      [](Real x) { return 1 / (1 + std::exp(-x)); });
  const Real root_pi = std::sqrt(std::numbers::pi_v<Real>), root_2 = std::numbers::sqrt2_v<Real>;
  check_slope<T>(
      "erf", 4, T(0x1p-20), std::sqrt(T(kLimit<T>)) - T(0.1), [](auto x) { return erf(x); },
      [&](Real x) { return 2 / root_pi * std::exp(-x * x); });
  auto density = [&](Real x) { return std::exp(-x * x / 2) / (root_2 * root_pi); };
  const T far = std::sqrt(T(2 * kLimit<T>)) - T(0.2);
  check_slope<T>(
      "normal_cdf", 4, T(0x1p-20), far, [](auto x) { return normal_cdf(x); }, density);
}

// It is a difference for negative x, with a zero at -0.75.
TEST_CASE_TEMPLATE("the slope of gelu is right to a few ULP of its terms", T, float, double) {
  const T far = std::sqrt(T(2 * kLimit<T>)) - T(0.2);
  double worst = 0;
  for (T x = -far; x < far; x += far / 50'000) {
    alignas(64) T slope[Pack<T>::lanes];
    gelu(ops::Dual<Pack<T>, 1u>{Pack<T>(x), {Pack<T>(1.0)}}).tangent[0].store(slope);
    const Real cdf = std::erfc(-Real(x) / std::numbers::sqrt2_v<Real>) / 2;
    const Real term = x * std::exp(-Real(x) * x / 2) / std::sqrt(2 * std::numbers::pi_v<Real>);
    const Real unit = (cdf + std::abs(term)) * std::numeric_limits<T>::epsilon();
    worst = std::max(worst, static_cast<double>(std::abs(slope[0] - (cdf + term)) / unit));
  }
  CHECK(worst <= 5);
}

TEST_CASE_TEMPLATE("slopes far out are what they were said to be", T, float, double) {
  auto slope = [](auto f, double at) {
    alignas(64) T result[Pack<T>::lanes];
    f(ops::Dual<Pack<T>, 1u>{Pack<T>(at), {Pack<T>(1.0)}}).tangent[0].store(result);
    return static_cast<double>(result[0]);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  for (double x : {infinity, -infinity, 1e30, -1e30}) {
    CHECK(slope([](auto v) { return tanh(v); }, x) < 1e-36);
    CHECK(slope([](auto v) { return sigmoid(v); }, x) < 1e-37);
    CHECK(slope([](auto v) { return erf(v); }, x) == 0);
    CHECK(slope([](auto v) { return normal_cdf(v); }, x) == 0);
    if (std::isfinite(x)) CHECK(slope([](auto v) { return gelu(v); }, x) == (x > 0 ? 1 : 0));
    CHECK(slope([](auto v) { return softplus(v); }, x) == (x > 0 ? 1 : 0));
    CHECK(slope([](auto v) { return elu(v, 1.0); }, x) == (x > 0 ? 1 : 0));
  }
  const double nan = std::nan("");
  CHECK(std::isnan(slope([](auto v) { return tanh(v); }, nan)));
  CHECK(std::isnan(slope([](auto v) { return sigmoid(v); }, nan)));
  CHECK(std::isnan(slope([](auto v) { return erf(v); }, nan)));
  CHECK(std::isnan(slope([](auto v) { return gelu(v); }, nan)));
  CHECK(std::isnan(slope([](auto v) { return expm1(v); }, nan)));
  CHECK(std::isnan(slope([](auto v) { return softplus(v); }, nan)));
}
