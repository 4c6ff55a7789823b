#include "ops/simd/simd.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "ops/random.h"
#include "ops/simd/erf.h"
#include "tests/ops/simd/ulp.h"

using namespace unroll;
using namespace unroll::tests;
using ops::Pack;

namespace {

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

// `bound` in ULP for magnitudes from `low` to `high`, of both signs.
template <class T>
void check_function(const std::string& name, double bound, T low, T high, auto f, auto exact) {
  const Worst<T> worst = sweep<T>(low, high, 300'000, f, exact);
  INFO(name << " of " << worst.at << " gives " << worst.came);
  CHECK(worst.error <= bound);
  const T nan = f(Pack<T>(std::numeric_limits<double>::quiet_NaN())).sum();
  CHECK(std::isnan(nan));
}
// For all numbers; and again where the result is neither the argument nor a limit.
template <class T>
void check_everywhere(const std::string& name, double bound, auto f, auto exact) {
  check_function<T>(name, bound, 0, kInfinity<T>, f, exact);
  check_function<T>(name, bound, T(0x1p-30), T(0x1p11), f, exact);
}

// Below, sigmoid stays where it is.
template <class T>
constexpr long double kSigmoidLimit = sizeof(T) == 4 ? 87 : 708;

template <class T>
T first_lane(Pack<T> x) {
  T lanes[Pack<T>::lanes];
  x.store(lanes);
  return lanes[0];
}

// The largest error of powers that are normal numbers, each over its own bound.
template <class T>
void check_pow(const std::string& name, auto next_exponent, auto power, auto bound) {
  Generator generator(11);
  for (int i = 0; i < 100'000; ++i) {
    const auto x = static_cast<T>(std::exp(generator.uniform(-8, 8)));
    const T y = static_cast<T>(next_exponent(generator));
    const long double exact = std::pow(static_cast<long double>(x), static_cast<long double>(y));
    if (!std::isnormal(static_cast<T>(exact))) continue;
    const T came = first_lane<T>(power(Pack<T>(x), y));
    const double error = ulp_error(came, exact);
    if (error <= bound(x, y)) continue;
    FAIL_CHECK(name << "(" << x << ", " << y << ") gives " << came << ", " << error << " ULP off");
    return;
  }
}

}  // namespace

// The numbers are those at the top of pack.h.
TEST_CASE_TEMPLATE("functions of packs keep to their ULP", T, float, double) {
  check_everywhere<T>(
      "tanh", 4, [](Pack<T> x) { return tanh(x); }, [](long double x) { return std::tanh(x); });
  check_everywhere<T>(
      "sigmoid", 4, [](Pack<T> x) { return sigmoid(x); },
      [](long double x) { return 1 / (1 + std::exp(-std::max(x, -kSigmoidLimit<T>))); });
  check_everywhere<T>(
      "expm1", 4, [](Pack<T> x) { return expm1(x); }, [](long double x) { return std::expm1(x); });
  CHECK(sigmoid(Pack<T>(-1e30)).sum() >= Pack<T>::lanes * std::numeric_limits<T>::min());
  check_everywhere<T>(
      "erf", 3, [](Pack<T> x) { return erf(x); }, [](long double x) { return std::erf(x); });
  check_everywhere<T>(
      "sqrt", 0.5, [](Pack<T> x) { return sqrt(x); }, [](long double x) { return std::sqrt(x); });
  check_function<T>(
      "normal_cdf", 10, T(0x1p-20), T(sizeof(T) == 4 ? 13.1 : 37.6), [](Pack<T> x) { return normal_cdf(x); },
      [](long double x) { return std::erfc(-x / std::numbers::sqrt2_v<long double>) / 2; });
  check_function<T>(
      "exp", 2, 0, 80, [](Pack<T> x) { return exp(x); }, [](long double x) { return std::exp(x); });
  check_function<T>(
      "log", 1, std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::max(),
      [](Pack<T> x) { return log(x); }, [](long double x) { return std::log(x); });
  check_function<T>(
      "log1p", 1, std::numeric_limits<T>::min(), T(0.5), [](Pack<T> x) { return log1p(x); },
      [](long double x) { return std::log1p(x); });
  check_function<T>(
      "log1p", 1, T(0.5), std::numeric_limits<T>::max(), [](Pack<T> x) { return log1p(abs(x)); },
      [](long double x) { return std::log1p(std::abs(x)); });
  check_function<T>(
      "sin", 2, 0, 100, [](Pack<T> x) { return sin(x); }, [](long double x) { return std::sin(x); });
  check_function<T>(
      "cos", 2, 0, 100, [](Pack<T> x) { return cos(x); }, [](long double x) { return std::cos(x); });
}

TEST_CASE_TEMPLATE("powers keep to their ULP, and are right at zero", T, float, double) {
  check_pow<T>(
      "pow", [](Generator& g) { return g.uniform(-30, 30); },
      [](Pack<T> x, T y) { return pow(x, Pack<T>(y)); },
      [](T x, T y) { return sizeof(T) == 4 ? 1 : 3 + 2 * std::abs(y * std::log(x)); });
  check_pow<T>(
      "whole pow", [](Generator& g) { return static_cast<double>(g.below(9)) - 4; },
      [](Pack<T> x, T y) { return pow(x, static_cast<double>(y)); }, [](T, T) { return 4; });

  for (T y : {T(0.5), T(-0.5), T(0.75), T(2.5), T(-0.9)}) {
    const T x = std::numeric_limits<T>::min() / 64;
    const T came = first_lane(pow(Pack<T>(x), Pack<T>(y)));
    INFO(x << " to the power of " << y << " gives " << came);
    CHECK(ulp_error(came, std::pow(static_cast<long double>(x), static_cast<long double>(y))) <=
          (sizeof(T) == 4 ? 1 : 3 + 2 * std::abs(y * std::log(x))));
  }

  const double infinity = std::numeric_limits<double>::infinity();
  for (double x : {0.0, -2.5, 3.0, 1.0})
    for (double y : {0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, 9.0, -9.0, infinity}) {
      if (x < 0 && y == infinity) continue;
      const auto exact = static_cast<T>(std::pow(x, y));
      for (const T came : {first_lane(pow(Pack<T>(x), Pack<T>(y))), first_lane(pow(Pack<T>(x), y))}) {
        INFO(x << " to the power of " << y << " gives " << came);
        CHECK(ulp_error(came, exact) <= (sizeof(T) == 4 ? 1 : 40));
      }
    }
  const Pack<T> nan(std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(first_lane(pow(Pack<T>(0.0), nan))));
  CHECK(std::isnan(first_lane(pow(nan, Pack<T>(2.0)))));
  CHECK(first_lane(pow(nan, Pack<T>(0.0))) == 1);
}
