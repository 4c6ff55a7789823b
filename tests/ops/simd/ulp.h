// Errors of functions of packs in units in the last place, against long double.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ops/simd/simd.h"

namespace unroll::tests {

using ops::Pack;

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

}  // namespace unroll::tests
