// The scalar vocabulary that does not need a derivative of its own: functions written once in terms of
// others, for packs, for dual numbers, and for plain float and double.
#pragma once
#include <cmath>
#include <concepts>

#include "ops/dual.h"

namespace unroll::ops {

template <class S>
struct is_scalar : std::is_floating_point<S> {};
template <class T>
struct is_scalar<Pack<T>> : std::true_type {};
template <class T, unsigned M>
struct is_scalar<Dual<T, M>> : std::true_type {};
/// What flows through a pointwise lambda.
template <class S>
concept Scalar = is_scalar<S>::value;

template <std::floating_point T>
T exp(T x) {
  return std::exp(x);
}
template <std::floating_point T>
T expm1(T x) {
  return std::expm1(x);
}
template <std::floating_point T>
T log(T x) {
  return std::log(x);
}
template <std::floating_point T>
T log1p(T x) {
  return std::log1p(x);
}
template <std::floating_point T>
T sqrt(T x) {
  return std::sqrt(x);
}
template <std::floating_point T>
T sin(T x) {
  return std::sin(x);
}
template <std::floating_point T>
T cos(T x) {
  return std::cos(x);
}
template <std::floating_point T>
T erf(T x) {
  return std::erf(x);
}
template <std::floating_point T>
T tanh(T x) {
  return std::tanh(x);
}
template <std::floating_point T>
T abs(T x) {
  return std::abs(x);
}
template <std::floating_point T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}
template <std::floating_point T>
T pow(T x, double p) {
  return std::pow(x, static_cast<T>(p));
}
template <std::same_as<float> T>
T select(bool m, T a, T b) {
  return m ? a : b;
}
template <class T>
Pack<T> pow(Pack<T> x, double p) {
  return pow(x, Pack<T>(p));
}
template <class T>
Pack<T> select(Mask<T> m, Pack<T> a, double b) {
  return select(m, a, Pack<T>(b));
}
template <class T>
Pack<T> select(Mask<T> m, double a, Pack<T> b) {
  return select(m, Pack<T>(a), b);
}

template <std::same_as<float> T>
T select(bool m, T a, double b) {
  return m ? a : static_cast<T>(b);
}
template <std::same_as<float> T>
T select(bool m, double a, T b) {
  return m ? static_cast<T>(a) : b;
}
inline double select(bool m, double a, double b) { return m ? a : b; }
template <std::floating_point T>
bool is_nan(T x) {
  return std::isnan(x);
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
  return x * 0.5 * (erf(x * 0.70710678118654752) + 1.0);
}
/// log(1 + exp(x)), without overflow.
template <Scalar S>
auto softplus(const S& x) {
  return select(x > 0.0, x + log1p(exp(-x)), log1p(exp(x)));
}

}  // namespace unroll::ops
