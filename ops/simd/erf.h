// The error function and the normal distribution.
//
// Largest errors in ULP of the result, of f32 and f64 alike:
//   erf          3     all numbers
//   normal_cdf  10     down to -13.1 (f32) or -37.6 (f64); 0 below
#pragma once
#include "ops/simd/simd.h"

namespace unroll::ops::scalar {

namespace detail {

// Chebyshev interpolations, highest power first: erf(x) / x in x^2 for |x| <= 1, to 1e-17 of it, and
// exp(x^2) (1 - erf(x)) in (x - 3) / (x + 3) for 1 <= x <= 6, where it leaves 4e-18 of erf.
inline constexpr double erf_near[] = {-7.795898827002142e-10, 1.3720064546777686e-08, -1.6208483801871705e-07,
                                      1.6447424703317362e-06, -1.492473690741966e-05, 0.00012055294904839707,
                                      -0.0008548325975389692, 0.0052239776071164225,  -0.02686617064323777,
                                      0.11283791670945006,    -0.37612638903183543,   1.1283791670955126};
inline constexpr double erfc_far[] = {1.2801900862962662e-06, 2.023603179641757e-06, -8.008021319412685e-06,
                                      -1.284889451252353e-05, 6.406182073530546e-05, 4.525472635483354e-05,
                                      -0.0005970623517093284, 0.0007077464443901538, 0.004269136347508256,
                                      -0.024392499318273194,  0.07166583719774874,   -0.15011593650078744,
                                      0.24560380171233195,    -0.32623356004303716,  0.17900115118138996};

template <class T, std::size_t N>
Pack<T> polynomial(const double (&coefficients)[N], Pack<T> x) {
  Pack<T> y(coefficients[0]);
  for (std::size_t i = 1; i < N; ++i) y = fma(y, x, Pack<T>(coefficients[i]));
  return y;
}

// exp(t^2 / 2) (1 - Phi(t)) (t + 4) for the normal distribution function Phi and t >= 0, in 8 / (t + 4) - 1,
// which goes from 1 to -1: Chebyshev interpolations, highest power first, to 6e-18 and 2e-9 of it.
template <class T>
struct NormalTail;
template <>
struct NormalTail<double> {
  static constexpr double coefficients[] = {
      -1.2777487882831855e-10, 3.4045640178407837e-10, 9.187164650138496e-10,   -3.731410413853782e-09,
      -1.6096065925597037e-09, 2.1429654296047564e-08, -1.4348984235588002e-08, -8.68696314767923e-08,
      1.562147311913124e-07,   2.7246606654241155e-07, -1.0223641773830066e-06, -6.298387423753455e-07,
      5.9204958140176096e-06,  7.166596353276388e-07,  -3.514476659652385e-05,  -1.908246600924109e-06,
      0.00023109494751342476,  0.000133344309457293,   -0.0016308184586749847,  -0.003479692367052881,
      0.0075401889667745655,   0.060396574890918146,   0.18652185795965648,     0.3871374007422149,
      0.6078966419718921,      0.7552851304157515};
};
template <>
struct NormalTail<float> {
  static constexpr double coefficients[] = {
      -2.1070768564897833e-07, -2.1150477549818113e-05, -1.0999025946389317e-06, 0.00021548404675400255,
      0.00013294462932231634,  -0.0016219499527395963,  -0.0034795880075690136,  0.007537677477381823,
      0.06039656262041475,     0.1865221669841296,      0.38713740116959894,     0.6078966310048657,
      0.7552851304157515};
};

// x x - square, of which nothing is lost.
template <class T>
Pack<T> square_rest(Pack<T> x, Pack<T> square) {
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
  return fma(x, x, -square);
#else  // by halves of the digits (Dekker 1971)
  const Pack<T> c = x * Pack<T>(sizeof(T) == 4 ? 0x1p12 + 1 : 0x1p27 + 1), high = c - (c - x), low = x - high;
  return ((high * high - square) + (high * low + high * low)) + low * low;
#endif
}
// exp(-factor x^2) for a factor of 1 or 1/2 and |x| <= 1e3: rounding x^2 alone would cost x^2 / 2 ULP.
template <class T>
Pack<T> gaussian(Pack<T> x, double factor) {
  const Pack<T> square = x * x, y = exp(square * Pack<T>(-factor));
  return fnma(y, square_rest(x, square) * Pack<T>(factor), y);
}

}  // namespace detail

template <class T>
Pack<T> erf(Pack<T> x) {
  if constexpr (std::is_same_v<T, float>) return xsimd::erf(x.v);
  const Pack<T> a = detail::limited(abs(x), 0, 6), s = a * a, one(1.0), three(3.0);
  const Pack<T> near = x * detail::polynomial(detail::erf_near, s);
  const Pack<T> far = one - exp(-s) * detail::polynomial(detail::erfc_far, (a - three) / (a + three));
  return select(a < one, near, select(x < Pack<T>(0.0), -far, far));
}
template <class T>
Sloped<T> erf_sloped(Pack<T> x) {
  return {erf(x), Pack<T>(2 * std::numbers::inv_sqrtpi) * detail::gaussian(detail::limited(x, -30, 30), 1)};
}

template <class T>
Sloped<T> normal_cdf_sloped(Pack<T> x) {
  const Pack<T> t = detail::limited(abs(x), 0, 40), one(1.0), inverse = one / (t + Pack<T>(4.0));
  const Pack<T> u = fma(inverse, Pack<T>(8.0), Pack<T>(-1.0));
  const Pack<T> density = detail::gaussian(t, 0.5);
  const Pack<T> tail = density * (detail::polynomial(detail::NormalTail<T>::coefficients, u) * inverse);
  return {select(x > Pack<T>(0.0), one - tail, tail),
          density * Pack<T>(std::numbers::inv_sqrtpi / std::numbers::sqrt2)};
}
/// The normal distribution function, (1 + erf(x / sqrt(2))) / 2, without its cancellation for negative x.
template <class T>
Pack<T> normal_cdf(Pack<T> x) {
  return normal_cdf_sloped(x).value;
}

}  // namespace unroll::ops::scalar
