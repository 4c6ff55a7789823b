// The scalar vocabulary that does not need a derivative of its own: functions written once in terms of
// others, for packs and for dual numbers.
#pragma once
#include <type_traits>

#include "ops/simd/dual.h"

namespace unroll::ops::scalar {

// A plain double is a constant on the right of a pack.
template <class S>
struct is_scalar : std::is_same<S, double> {};
template <class T>
struct is_scalar<Pack<T>> : std::true_type {};
template <class T, unsigned M>
struct is_scalar<Dual<T, M>> : std::true_type {};
/// What flows through a pointwise lambda.
template <class S>
concept Scalar = is_scalar<S>::value;

template <class T>
Pack<T> select(Mask<T> m, Pack<T> a, double b) {
  return select(m, a, Pack<T>(b));
}
template <class T>
Pack<T> select(Mask<T> m, double a, Pack<T> b) {
  return select(m, Pack<T>(a), b);
}

// What a gate or unit with ends gives can be named, for those who watch it: sigmoid(f, "forget").
template <Scalar S>
[[gnu::always_inline]] inline auto tanh(const S& x, const char*) {
  return tanh(x);
}
template <Scalar S>
[[gnu::always_inline]] inline auto sigmoid(const S& x, const char*) {
  return sigmoid(x);
}
template <Scalar S>
[[gnu::always_inline]] inline auto relu(const S& x, const char*) {
  return relu(x);
}

template <Scalar S>
auto square(const S& x) {
  return x * x;
}
/// At a tie the gradient goes to a. A NaN on either side is the result.
template <Scalar A, Scalar B>
auto max(const A& a, const B& b) {
  return select((a >= b) | is_nan(a), a, b);
}
template <Scalar A, Scalar B>
auto min(const A& a, const B& b) {
  return select((a <= b) | is_nan(a), a, b);
}
/// Slope 1 inside and on the bounds, 0 outside.
template <Scalar S>
auto clamp(const S& x, double low, double high) {
  return select(x < low, low, select(x > high, high, x));
}
/// Slope 0 at 0.
template <Scalar S>
auto relu(const S& x) {
  return select(x <= 0.0, 0.0, x);
}
template <Scalar S>
auto leaky_relu(const S& x, double slope) {
  return select(x > 0.0, x, x * slope);
}
/// x where positive, else alpha (exp(x) - 1).
template <Scalar S>
auto elu(const S& x, double alpha) {
  return select(x > 0.0, x, expm1(x) * alpha);
}
/// x Phi(x), with the exact normal distribution function.
template <Scalar S>
auto gelu(const S& x) {
  return x * normal_cdf(x);
}
/// log(1 + exp(x)), without overflow.
template <Scalar S>
auto softplus(const S& x) {
  return select(x > 0.0, x, 0.0) + log1p(exp(select(x > 0.0, -x, x)));
}

}  // namespace unroll::ops::scalar
