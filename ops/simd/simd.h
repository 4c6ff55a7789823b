// One SIMD register of numbers, with the scalar vocabulary that pointwise lambdas are written in. It has a
// namespace of its own, where argument-dependent lookup finds it, so that ops::tanh is the op and no other.
//
// Largest errors in ULP of the result, of f32 and f64 alike where only one is given. What is below the
// smallest normal number may come as 0.
//   exp            2     |x| <= 80
//   log, log1p     1     all positive numbers; -0.5 <= x
//   sin, cos       2     |x| <= 100
//   tanh, sigmoid, expm1  4     all numbers
//   pow            1     f32, which is computed in f64
//                  3 + 2 |y log x|     f64
//   pow, whole y   4     for a constant y with |y| <= 4: multiplications
// What erf.h has is stated there, and slopes in dual.h. log, log1p, sqrt, sin, cos come from xsimd; exp,
// tanh, sigmoid and expm1 share one reduction (expm1_core). sigmoid below -87 (f32) or -708 (f64) stays at
// exp(-87) or exp(-708), just above the smallest normal number, so that a closed gate makes no denormals; exp
// is 0 below -86.9 or -708. Infinities and NaN give their limits and NaN.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <numbers>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "ops/simd/refusals.h"

namespace unroll::ops::scalar {

// The instruction set is part of the types' names: code that was built for another one, such as a user's
// beside our library, has functions of its own and is not mixed up with this.
template <class T, class Arch>
struct MaskOf {
  using Mask = MaskOf;
  typename xsimd::batch<T, Arch>::batch_bool_type v;
  friend Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
  friend Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
  friend Mask operator!(Mask a) { return {!a.v}; }
  template <std::same_as<bool> B>
  explicit operator B() const {
    return detail::refuse<double>() != 0;
  }
};

template <class T>
using Mask = MaskOf<T, xsimd::default_arch>;

template <class T, class Arch>
struct PackOf {
  using Pack = PackOf;
  using Batch = xsimd::batch<T, Arch>;
  static constexpr int lanes = static_cast<int>(Batch::size);
  Batch v;

  PackOf() = default;
  PackOf(Batch batch) : v(batch) {}
  explicit PackOf(double x) : v(static_cast<T>(x)) {}
  static Pack load(const T* p) { return Batch::load_unaligned(p); }
  void store(T* p) const { v.store_unaligned(p); }
  T sum() const { return xsimd::hadd(v); }

  friend Pack operator+(Pack a, Pack b) { return a.v + b.v; }
  friend Pack operator-(Pack a, Pack b) { return a.v - b.v; }
  friend Pack operator*(Pack a, Pack b) { return a.v * b.v; }
  friend Pack operator/(Pack a, Pack b) { return a.v / b.v; }
  friend Pack operator-(Pack a) { return -a.v; }
  friend MaskOf<T, Arch> operator<(Pack a, Pack b) { return {a.v < b.v}; }
  friend MaskOf<T, Arch> operator<=(Pack a, Pack b) { return {a.v <= b.v}; }
  friend MaskOf<T, Arch> operator>(Pack a, Pack b) { return {a.v > b.v}; }
  friend MaskOf<T, Arch> operator>=(Pack a, Pack b) { return {a.v >= b.v}; }
  friend MaskOf<T, Arch> operator==(Pack a, Pack b) { return {a.v == b.v}; }
  friend MaskOf<T, Arch> operator!=(Pack a, Pack b) { return !(a == b); }
  template <std::same_as<double> D>
  operator D() const {
    return detail::refuse<D>();
  }
};
template <class T>
using Pack = PackOf<T, xsimd::default_arch>;

template <class T>
Pack<T> select(Mask<T> m, Pack<T> a, Pack<T> b) {
  return xsimd::select(m.v, a.v, b.v);
}
template <class T>
Mask<T> is_nan(Pack<T> x) {
  return {xsimd::isnan(x.v)};
}
/// a b + c, rounded once where the processor has such an instruction. For AVX-512, xsimd 8 writes a product
/// and a sum, and whether a compiler makes one of the two depends on the code around them.
template <class T>
[[gnu::always_inline]] inline Pack<T> fma(Pack<T> a, Pack<T> b, Pack<T> c) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return typename Pack<T>::Batch(_mm512_fmadd_ps(a.v, b.v, c.v));
  else
    return typename Pack<T>::Batch(_mm512_fmadd_pd(a.v, b.v, c.v));
#else
  return xsimd::fma(a.v, b.v, c.v);
#endif
}
/// c - a b, likewise.
template <class T>
[[gnu::always_inline]] inline Pack<T> fnma(Pack<T> a, Pack<T> b, Pack<T> c) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return typename Pack<T>::Batch(_mm512_fnmadd_ps(a.v, b.v, c.v));
  else
    return typename Pack<T>::Batch(_mm512_fnmadd_pd(a.v, b.v, c.v));
#else
  return xsimd::fnma(a.v, b.v, c.v);
#endif
}
/// In f64 xsimd takes a denormal number's exponent for that of the smallest normal one.
template <class T>
Pack<T> log(Pack<T> x) {
  if constexpr (std::is_same_v<T, float>) return xsimd::log(x.v);
  const Mask<T> small = x < Pack<T>(std::numeric_limits<T>::min());
  const Pack<T> y = xsimd::log(select(small, x * Pack<T>(0x1p54), x).v);
  return y - select(small, Pack<T>(54 * std::numbers::ln2), Pack<T>(0.0));
}
template <class T>
Pack<T> log1p(Pack<T> x) {
  return xsimd::log1p(x.v);
}
template <class T>
Pack<T> sqrt(Pack<T> x) {
  return xsimd::sqrt(x.v);
}
template <class T>
Pack<T> sin(Pack<T> x) {
  return xsimd::sin(x.v);
}
template <class T>
Pack<T> cos(Pack<T> x) {
  return xsimd::cos(x.v);
}
template <class T>
Pack<T> abs(Pack<T> x) {
  return xsimd::abs(x.v);
}

// What is always inlined: as calls, these would cost the caller all its registers.

namespace detail {

// (exp(r) - 1 - r) / r^2, highest power first: Chebyshev interpolations for |r| <= ln(2)/2, which leave under
// a quarter of an ULP of exp(r) - 1.
template <class T>
struct Expm1;
template <>
struct Expm1<float> {
  using Integer = std::int32_t;
  static constexpr double coefficients[] = {0.001392617611993558, 0.008363173074513711, 0.041666554662050534,
                                            0.1666657702559799, 0.5};
  static constexpr double ln2_high = 0.693359375, ln2_low = -2.12194440054690583e-4;
  static constexpr int mantissa_bits = 23, bias = 127;
  static constexpr double limit = 87, tanh_limit = 10, zero = -87.4, overflow = 89;
};
template <>
struct Expm1<double> {
  using Integer = std::int64_t;
  static constexpr double coefficients[] = {
      2.5100375832561234e-08, 2.7620075879983367e-07, 2.7557268480310024e-06, 2.4801521322368692e-05,
      0.00019841269863040545, 0.0013888888917196719,  0.008333333333330065,   0.041666666666624164,
      0.16666666666666669,    0.5000000000000001};
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
  static constexpr int mantissa_bits = 52, bias = 1023;
  static constexpr double limit = 708, tanh_limit = 20, zero = -708.6, overflow = 710;
};

// (exp(a r) - 1 - a r) / (a r^2) from its coefficients [Begin, Begin + Count), highest first; powers[i] is
// r^(2^i). In halves (Estrin), which wait less for each other than one chain of additions.
template <int a, std::size_t Begin, std::size_t Count, class T>
[[gnu::always_inline]] inline Pack<T> by_halves(const Pack<T>* powers) {
  if constexpr (Count == 1) {
    double c = Expm1<T>::coefficients[Begin];
    for (std::size_t power = std::size(Expm1<T>::coefficients) - Begin; power > 0; --power) c *= a;
    return Pack<T>(c);
  } else {
    constexpr std::size_t low = std::bit_floor(Count / 2);
    return fma(by_halves<a, Begin, Count - low>(powers), powers[std::bit_width(low) - 1],
               by_halves<a, Begin + Count - low, low>(powers));
  }
}

// A NaN in x comes through: the hardware's min and max return their second operand then.
template <class T>
[[gnu::always_inline]] inline Pack<T> limited(Pack<T> x, double low, double high) {
  return xsimd::max(Pack<T>(low).v, xsimd::min(Pack<T>(high).v, x.v));
}

// exp(a x) = 2^halvings * scale * (1 + a p), for |a x| <= limit and a of 1, 2 or -1: what multiplies x is
// part of the constants. p keeps full relative accuracy near 0. Where the exponent comes out as halvings +
// the smallest, scale is 0. ln(2) comes in two parts where its last digits count.
template <int a, int halvings = 0, int parts = 2, class T>
[[gnu::always_inline]] inline void expm1_core(Pack<T> x, Pack<T>& scale, Pack<T>& p) {
  using C = Expm1<T>;
  // Added to a number, it leaves the nearest integer in the low bits, with the exponent's bias.
  constexpr double magic =
      1.5 * static_cast<double>(std::int64_t{1} << C::mantissa_bits) + C::bias - halvings;
  const Pack<T> shifted = fma(x, Pack<T>(a * std::numbers::log2e), Pack<T>(magic)),
                k = shifted - Pack<T>(magic);
  // a x = k ln(2) + a r
  Pack<T> r;
  if constexpr (parts == 1)
    r = fma(k, Pack<T>(-std::numbers::ln2 / a), x);
  else
    r = fma(k, Pack<T>(-C::ln2_low / a), fma(k, Pack<T>(-C::ln2_high / a), x));
  constexpr std::size_t count = std::size(C::coefficients);
  Pack<T> powers[std::bit_width(count / 2)];
  powers[0] = r;
  for (std::size_t i = 1; i < std::size(powers); ++i) powers[i] = powers[i - 1] * powers[i - 1];
  p = fma(by_halves<a, 0, count>(powers), powers[1], r);
  using Integers = xsimd::batch<typename C::Integer>;
  scale = xsimd::bitwise_cast<xsimd::batch<T>>(xsimd::bitwise_cast<Integers>(shifted.v) << C::mantissa_bits);
}

}  // namespace detail

/// This and expm1 are taken by halves, as 2^128 (f64: 2^1024) is no number although some multiples just below
/// it are.
template <class T>
[[gnu::always_inline]] inline Pack<T> exp(Pack<T> x) {
  Pack<T> half, p;
  detail::expm1_core<1, 1>(detail::limited(x, detail::Expm1<T>::zero, detail::Expm1<T>::overflow), half, p);
  const Pack<T> y = fma(half, p, half);
  return y + y;
}
template <class T>
[[gnu::always_inline]] inline Pack<T> expm1(Pack<T> x) {
  Pack<T> half, p;
  detail::expm1_core<1, 1>(detail::limited(x, -50, detail::Expm1<T>::overflow), half, p);
  const Pack<T> y = fma(half, p, half - Pack<T>(0.5));
  return y + y;
}
/// 1 / (1 + exp(-x))
template <class T>
[[gnu::always_inline]] inline Pack<T> sigmoid(Pack<T> x) {
  Pack<T> scale, p;
  detail::expm1_core<-1>(detail::limited(x, -detail::Expm1<T>::limit, detail::Expm1<T>::limit), scale, p);
  return Pack<T>(1.0) / fnma(scale, p, scale + Pack<T>(1.0));
}
/// h / (h + 1) for h = expm1(2 x) / 2, which loses nothing near 0; and is flat before the last digits of
/// ln(2) count.
template <class T>
[[gnu::always_inline]] inline Pack<T> tanh(Pack<T> x) {
  Pack<T> scale, p;
  constexpr double limit = detail::Expm1<T>::tanh_limit;
  detail::expm1_core<2, 0, 1>(detail::limited(x, -limit, limit), scale, p);
  const Pack<T> half(0.5), h = fma(scale, p, fma(scale, half, -half));
  return h / (h + Pack<T>(1.0));
}

/// A function's value with its slope, where they are made of the same parts. The slope is right to a few ULP
/// in the tails too, where 1 - y^2 and the like would have lost all digits.
template <class T>
struct Sloped {
  Pack<T> value, slope;
};
template <class T>
[[gnu::always_inline]] inline Sloped<T> expm1_sloped(Pack<T> x) {
  Pack<T> half, p;
  detail::expm1_core<1, 1>(detail::limited(x, detail::Expm1<T>::zero, detail::Expm1<T>::overflow), half, p);
  const Pack<T> y = fma(half, p, half - Pack<T>(0.5)), e = fma(half, p, half);
  return {y + y, e + e};
}
/// With e = exp(-x): 1 / (1 + e), and e / (1 + e)^2.
template <class T>
[[gnu::always_inline]] inline Sloped<T> sigmoid_sloped(Pack<T> x) {
  Pack<T> scale, p;
  constexpr double limit = detail::Expm1<T>::limit;
  detail::expm1_core<-1>(detail::limited(x, -limit, limit), scale, p);
  const Pack<T> e = fnma(scale, p, scale), y = Pack<T>(1.0) / (e + Pack<T>(1.0));
  return {y, e * y * y};
}
/// With h as in tanh(): h / (h + 1), and exp(2 x) / (h + 1)^2.
template <class T>
[[gnu::always_inline]] inline Sloped<T> tanh_sloped(Pack<T> x) {
  Pack<T> scale, p;
  constexpr double limit = detail::Expm1<T>::limit / 2;
  detail::expm1_core<2>(detail::limited(x, -limit, limit), scale, p);
  const Pack<T> half(0.5), h = fma(scale, p, fma(scale, half, -half));
  const Pack<T> inverse = Pack<T>(1.0) / (h + Pack<T>(1.0));
  return {h * inverse, fma(scale + scale, p, scale) * inverse * inverse};
}

namespace detail {

// |x|^y with the sign of a whole power; x is not 0.
inline Pack<double> plain_pow(Pack<double> x, Pack<double> y) {
  const auto negative = x.v < xsimd::batch<double>(0.0);
  const auto z = xsimd::exp((y * log(abs(x))).v);
  const auto whole = xsimd::is_flint(y.v) | xsimd::isinf(y.v);
  return xsimd::select(negative & !whole, xsimd::batch<double>(std::numeric_limits<double>::quiet_NaN()),
                       xsimd::select(negative & xsimd::is_odd(y.v), -z, z));
}
// f32 has too few digits for y log x.
inline Pack<float> plain_pow(Pack<float> x, Pack<float> y) {
  constexpr int wide = Pack<double>::lanes, all = Pack<float>::lanes;
  float base[all], exponent[all], result[all];
  x.store(base);
  y.store(exponent);
  for (int begin = 0; begin < all; begin += wide) {
    double b[wide], e[wide], r[wide];
    std::copy_n(base + begin, wide, b);
    std::copy_n(exponent + begin, wide, e);
    plain_pow(Pack<double>::load(b), Pack<double>::load(e)).store(r);
    for (int i = 0; i < wide; ++i) result[begin + i] = static_cast<float>(r[i]);
  }
  return Pack<float>::load(result);
}

}  // namespace detail

/// x^0 and 1^y are 1, 0^y is 0 or, for negative y, infinity. A negative x has whole powers only, others are
/// NaN.
template <class T>
Pack<T> pow(Pack<T> x, Pack<T> y) {
  const Pack<T> zero(0.0), one(1.0);
  const Pack<T> of_zero =
      select(y > zero, zero, select(y < zero, Pack<T>(std::numeric_limits<T>::infinity()), y));
  const Pack<T> z = select(x == zero, of_zero, detail::plain_pow(select(x == zero, one, x), y));
  return select((y == zero) | (x == one), one, z);
}
/// A small whole power is made by multiplications.
template <class T, class Arch, Constant C>
PackOf<T, Arch> pow(PackOf<T, Arch> x, C exponent) {
  const auto y = static_cast<double>(exponent);
  constexpr double most = 4;
  if (!(y >= -most && y <= most && y == static_cast<int>(y))) return pow(x, Pack<T>(y));
  PackOf<T, Arch> product(1.0);
  for (int n = std::abs(static_cast<int>(y)); n > 0; n >>= 1, x = x * x)
    if (n & 1) product = product * x;
  return y < 0 ? PackOf<T, Arch>(1.0) / product : product;
}

// -- The end of a row, where less than a pack is left.

/// The first `count` lanes from p; the rest repeat the first, so that they are in a function's domain.
template <class T>
Pack<T> load_part(const T* p, std::ptrdiff_t count) {
  T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  for (int i = 0; i < Pack<T>::lanes; ++i) lanes[i] = p[i < count ? i : 0];
  return Pack<T>::load(lanes);
}
template <class T>
void store_part(const Pack<T>& x, T* p, std::ptrdiff_t count) {
  T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  x.store(lanes);
  for (std::ptrdiff_t i = 0; i < count; ++i) p[i] = lanes[i];
}
template <class T>
T sum_part(const Pack<T>& x, std::ptrdiff_t count) {
  T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  x.store(lanes);
  T total = 0;
  for (std::ptrdiff_t i = 0; i < count; ++i) total += lanes[i];
  return total;
}

}  // namespace unroll::ops::scalar

namespace unroll::ops {
using scalar::load_part;
using scalar::Mask;
using scalar::MaskOf;
using scalar::Pack;
using scalar::PackOf;
using scalar::store_part;
using scalar::sum_part;
}  // namespace unroll::ops
