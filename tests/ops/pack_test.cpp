#include "ops/pack.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

using namespace unroll;
using ops::Pack;

namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// The distance to the exact result in units in the last place of the result rounded to T; below the smallest
// normal number, of that number.
template <class T>
double ulp_error(T came, long double exact) {
  const T rounded = static_cast<T>(exact);
  if (came == rounded || (std::isnan(came) && std::isnan(exact))) return 0;
  if (!std::isfinite(came) || !std::isfinite(rounded)) return std::numeric_limits<double>::infinity();
  const int exponent = std::max(std::ilogb(rounded == 0 ? std::numeric_limits<T>::min() : rounded),
                                std::numeric_limits<T>::min_exponent - 1);
  const long double ulp = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
  return static_cast<double>(std::abs(static_cast<long double>(came) - exact) / ulp);
}

template <class T>
struct Worst {
  double error = 0;
  T at = 0, came = 0;
};

// f over `count` numbers of both signs with magnitudes from low to high, spread evenly over bit patterns.
template <class T, class F, class Exact>
Worst<T> sweep(T low, T high, int count, F f, Exact exact) {
  Worst<T> worst;
  alignas(64) T x[Pack<T>::lanes], y[Pack<T>::lanes];
  const auto first = std::bit_cast<Bits<T>>(low), last = std::bit_cast<Bits<T>>(high);
  // Odd, so that all low bits come up.
  const Bits<T> stride = ((last - first) / static_cast<Bits<T>>(count)) | 1;
  for (Bits<T> bits = first; bits <= last; bits += stride * (Pack<T>::lanes / 2)) {
    for (int i = 0; i < Pack<T>::lanes; ++i) {
      const T v = std::bit_cast<T>(std::min(bits + stride * static_cast<Bits<T>>(i / 2), last));
      x[i] = i % 2 ? -v : v;
    }
    f(Pack<T>::load(x)).store(y);
    for (int i = 0; i < Pack<T>::lanes; ++i)
      if (const double e = ulp_error(y[i], exact(static_cast<long double>(x[i]))); !(e <= worst.error))
        worst = {e, x[i], y[i]};
  }
  return worst;
}

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

template <class T>
void check_function(const std::string& name, auto f, auto exact) {
  // Everything, and again where the result is neither the argument nor a limit.
  const Worst<T> worst[] = {sweep<T>(0, kInfinity<T>, 200'000, f, exact),
                            sweep<T>(T(0x1p-30), T(0x1p11), 400'000, f, exact)};
  for (const Worst<T>& w : worst) {
    INFO(name << " of " << w.at << " gives " << w.came);
    CHECK(w.error <= 4);
  }
  const T nan = f(Pack<T>(std::numeric_limits<double>::quiet_NaN())).sum();
  CHECK(std::isnan(nan));
}

// Below, sigmoid stays where it is.
template <class T>
constexpr long double kSigmoidLimit = sizeof(T) == 4 ? 87 : 708;

}  // namespace

TEST_CASE_TEMPLATE("tanh, sigmoid and expm1 keep to their ULP on all numbers", T, float, double) {
  check_function<T>(
      "tanh", [](Pack<T> x) { return tanh(x); }, [](long double x) { return std::tanh(x); });
  check_function<T>(
      "sigmoid", [](Pack<T> x) { return sigmoid(x); },
      [](long double x) { return 1 / (1 + std::exp(-std::max(x, -kSigmoidLimit<T>))); });
  check_function<T>(
      "expm1", [](Pack<T> x) { return expm1(x); }, [](long double x) { return std::expm1(x); });
  CHECK(sigmoid(Pack<T>(-1e30)).sum() >= Pack<T>::lanes * std::numeric_limits<T>::min());
}
