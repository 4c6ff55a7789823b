// The scalar vocabulary that does not need a derivative of its own: functions written once in terms of
// others, for packs and for dual numbers.
#pragma once
#include <concepts>
#include <type_traits>

#include "ops/simd/dual.h"

namespace unroll::ops::scalar {

template <class S>
struct is_scalar : std::false_type {};
template <class T>
struct is_scalar<Pack<T>> : std::true_type {};
template <class T, unsigned M>
struct is_scalar<Dual<T, M>> : std::true_type {};
/// What flows through a pointwise lambda.
template <class S>
concept Scalar = is_scalar<S>::value;
template <class S>
concept Operand = Scalar<S> || Constant<S>;
/// Scalars without slopes, to which a constant is a number like theirs.
template <class S>
concept Plain = Scalar<S> && std::is_constructible_v<S, double>;

/// Operand x in the form of scalar s.
template <Operand A, Scalar S>
auto like(const A& x, const S&) {
  if constexpr (Scalar<A>)
    return x;
  else if constexpr (Plain<S>)
    return S(static_cast<double>(x));
  else
    return Dual<decltype(S::value), 0>{decltype(S::value)(static_cast<double>(x)), {}};
}

template <Plain S, Constant C>
auto operator+(const S& x, C c) {
  return x + S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator+(C c, const S& x) {
  return S(static_cast<double>(c)) + x;
}
template <Plain S, Constant C>
auto operator-(const S& x, C c) {
  return x - S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator-(C c, const S& x) {
  return S(static_cast<double>(c)) - x;
}
template <Plain S, Constant C>
auto operator*(const S& x, C c) {
  return x * S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator*(C c, const S& x) {
  return S(static_cast<double>(c)) * x;
}
template <Plain S, Constant C>
auto operator/(const S& x, C c) {
  return x / S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator/(C c, const S& x) {
  return S(static_cast<double>(c)) / x;
}
template <Plain S, Constant C>
auto operator<(const S& x, C c) {
  return x < S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator<(C c, const S& x) {
  return S(static_cast<double>(c)) < x;
}
template <Plain S, Constant C>
auto operator<=(const S& x, C c) {
  return x <= S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator<=(C c, const S& x) {
  return S(static_cast<double>(c)) <= x;
}
template <Plain S, Constant C>
auto operator>(const S& x, C c) {
  return x > S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator>(C c, const S& x) {
  return S(static_cast<double>(c)) > x;
}
template <Plain S, Constant C>
auto operator>=(const S& x, C c) {
  return x >= S(static_cast<double>(c));
}
template <Plain S, Constant C>
auto operator>=(C c, const S& x) {
  return S(static_cast<double>(c)) >= x;
}

template <Scalar A, Operand B>
auto operator==(const A& a, const B& b) {
  return (a <= b) & (a >= b);
}
template <Constant A, Scalar B>
auto operator==(A a, const B& b) {
  return b == a;
}
// Two, as those of == : else the compiler takes !(a == b) of a bool.
template <Scalar A, Operand B>
auto operator!=(const A& a, const B& b) {
  return !(a == b);
}
template <Constant A, Scalar B>
auto operator!=(A a, const B& b) {
  return !(b == a);
}

template <class T, Constant C>
Pack<T> select(Mask<T> m, Pack<T> a, C b) {
  return select(m, a, Pack<T>(b));
}
template <class T, Constant C>
Pack<T> select(Mask<T> m, C a, Pack<T> b) {
  return select(m, Pack<T>(a), b);
}
template <class T, class Arch, Constant A, Constant B>
auto select(MaskOf<T, Arch> m, A a, B b) {
  return select(m, PackOf<T, Arch>(a), PackOf<T, Arch>(b));
}

/// x >= 0.
template <Constant C, Scalar S>
auto pow(C base, const S& exponent) {
  return pow(like(base, exponent), exponent);
}

// Where a mask would become one truth of C++.
template <class M>
concept AnyMask = requires(M m) {
  { m& m } -> std::same_as<M>;
  m.v;
};
template <AnyMask M>
M operator&&(M a, M b) {
  (void)detail::refuse<double>();
  return a & b;
}
template <AnyMask M>
M operator||(M a, M b) {
  (void)detail::refuse<double>();
  return a | b;
}
template <Scalar S>
S floor(const S& x) {
  detail::refuse_rounding<double>();
  return x;
}
template <Scalar S>
S ceil(const S& x) {
  detail::refuse_rounding<double>();
  return x;
}
template <Scalar S>
S round(const S& x) {
  detail::refuse_rounding<double>();
  return x;
}
template <Scalar S>
S trunc(const S& x) {
  detail::refuse_rounding<double>();
  return x;
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
template <Scalar A, Operand B>
auto max(const A& a, const B& b) {
  return select((a >= b) | is_nan(a), a, b);
}
template <Constant A, Scalar B>
auto max(A a, const B& b) {
  return max(like(a, b), b);
}
template <Scalar A, Operand B>
auto min(const A& a, const B& b) {
  return select((a <= b) | is_nan(a), a, b);
}
template <Constant A, Scalar B>
auto min(A a, const B& b) {
  return min(like(a, b), b);
}
/// Slope 1 inside and on the bounds, 0 outside, where the bound has it.
template <Scalar S, Operand Low, Operand High>
auto clamp(const S& x, const Low& low, const High& high) {
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
