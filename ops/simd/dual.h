// Sparse dual numbers: a value with its derivatives by those inputs that its type names.
#pragma once
#include <array>
#include <bit>
#include <utility>

#include "ops/simd/erf.h"

namespace unroll::ops::scalar {

/// Bit k of `Mask` says that the number depends on input k; only those tangents exist. So a multiplication by
/// a tangent that is known to be zero is never emitted.
template <class T, unsigned InputMask>
struct Dual {
  T value;
  std::array<T, std::popcount(InputMask)> tangent;

  template <std::same_as<double> D>
  operator D() const {
    return detail::refuse<D>();
  }
  template <unsigned Other>
  requires(Other > InputMask) operator Dual<T, Other>() const { return {T(detail::refuse<double>()), {}}; }
  static constexpr bool depends_on(int k) { return InputMask >> k & 1; }
  static constexpr std::size_t slot(int k) {
    return static_cast<std::size_t>(std::popcount(InputMask & ((1u << k) - 1)));
  }
};

namespace detail {

/// f(x) with slope f'(x), by the chain rule.
template <class T, unsigned M>
[[gnu::always_inline]] inline Dual<T, M> chain(const Dual<T, M>& x, T value, T slope) {
  Dual<T, M> r{value, {}};
  for (std::size_t i = 0; i < r.tangent.size(); ++i) r.tangent[i] = x.tangent[i] * slope;
  return r;
}

/// A function of two numbers. `both`, `left`, `right` give the tangent by an input that both, or only one of
/// them, depends on.
template <class T, unsigned A, unsigned B, class Both, class Left, class Right>
[[gnu::always_inline]] inline Dual<T, A | B> combine(T value, const Dual<T, A>& a, const Dual<T, B>& b,
                                                     Both both, Left left, Right right) {
  Dual<T, A | B> r{value, {}};
  [&]<int... K>(std::integer_sequence<int, K...>) {
    (([&] {
       using R = Dual<T, A | B>;
       if constexpr ((A >> K & 1) && (B >> K & 1))
         r.tangent[R::slot(K)] = both(a.tangent[Dual<T, A>::slot(K)], b.tangent[Dual<T, B>::slot(K)]);
       else if constexpr (A >> K & 1)
         r.tangent[R::slot(K)] = left(a.tangent[Dual<T, A>::slot(K)]);
       else if constexpr (B >> K & 1)
         r.tangent[R::slot(K)] = right(b.tangent[Dual<T, B>::slot(K)]);
     }()),
     ...);
  }
  (std::make_integer_sequence<int, std::bit_width(A | B)>{});
  return r;
}

/// z = f(a, b) with slopes df/da and df/db.
template <class T, unsigned A, unsigned B>
[[gnu::always_inline]] inline Dual<T, A | B> chain(const Dual<T, A>& a, const Dual<T, B>& b, T value, T by_a,
                                                   T by_b) {
  return combine(
      value, a, b, [&](T x, T y) { return x * by_a + y * by_b; }, [&](T x) { return x * by_a; },
      [&](T y) { return y * by_b; });
}

}  // namespace detail

template <class T, unsigned A, unsigned B>
auto operator+(const Dual<T, A>& a, const Dual<T, B>& b) {
  return detail::combine(
      a.value + b.value, a, b, [](T x, T y) { return x + y; }, [](T x) { return x; }, [](T y) { return y; });
}
template <class T, unsigned A, unsigned B>
auto operator-(const Dual<T, A>& a, const Dual<T, B>& b) {
  return detail::combine(
      a.value - b.value, a, b, [](T x, T y) { return x - y; }, [](T x) { return x; }, [](T y) { return -y; });
}
template <class T, unsigned A, unsigned B>
auto operator*(const Dual<T, A>& a, const Dual<T, B>& b) {
  return detail::chain(a, b, a.value * b.value, b.value, a.value);
}
template <class T, unsigned A, unsigned B>
auto operator/(const Dual<T, A>& a, const Dual<T, B>& b) {
  const T inverse = T(1.0) / b.value, quotient = a.value / b.value;
  return detail::chain(a, b, quotient, inverse, -quotient * inverse);
}
template <class T, unsigned M>
auto operator-(const Dual<T, M>& x) {
  return detail::chain(x, -x.value, T(-1.0));
}

// Constants on either side.
template <class T, unsigned M, Constant C>
auto operator+(const Dual<T, M>& x, C c) {
  return Dual<T, M>{x.value + T(c), x.tangent};
}
template <class T, unsigned M, Constant C>
auto operator+(C c, const Dual<T, M>& x) {
  return x + c;
}
template <class T, unsigned M, Constant C>
auto operator-(const Dual<T, M>& x, C c) {
  return x + -static_cast<double>(c);
}
template <class T, unsigned M, Constant C>
auto operator-(C c, const Dual<T, M>& x) {
  return detail::chain(x, T(c) - x.value, T(-1.0));
}
template <class T, unsigned M, Constant C>
auto operator*(const Dual<T, M>& x, C c) {
  return detail::chain(x, x.value * T(c), T(c));
}
template <class T, unsigned M, Constant C>
auto operator*(C c, const Dual<T, M>& x) {
  return x * c;
}
template <class T, unsigned M, Constant C>
auto operator/(const Dual<T, M>& x, C c) {
  return detail::chain(x, x.value / T(c), T(1.0 / static_cast<double>(c)));
}
template <class T, unsigned M, Constant C>
auto operator/(C c, const Dual<T, M>& x) {
  const T quotient = T(c) / x.value;
  return detail::chain(x, quotient, -quotient / x.value);
}

/// What a comparison of duals gives: a mask that knows of what a select() of two constants is one.
template <class T>
struct DualMask {
  using Lanes = decltype(std::declval<T>() < std::declval<T>());
  Lanes v;
  friend DualMask operator&(DualMask a, DualMask b) { return {a.v & b.v}; }
  friend DualMask operator|(DualMask a, DualMask b) { return {a.v | b.v}; }
  friend DualMask operator!(DualMask a) { return {!a.v}; }
  template <std::same_as<bool> B>
  explicit operator B() const {
    return detail::refuse<double>() != 0;
  }
};

// Comparisons look at values only.
template <class T, unsigned A, unsigned B>
DualMask<T> operator<(const Dual<T, A>& a, const Dual<T, B>& b) {
  return {a.value < b.value};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator<(const Dual<T, M>& a, C c) {
  return {a.value < T(c)};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator<(C c, const Dual<T, M>& a) {
  return {T(c) < a.value};
}
template <class T, unsigned A, unsigned B>
DualMask<T> operator<=(const Dual<T, A>& a, const Dual<T, B>& b) {
  return {a.value <= b.value};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator<=(const Dual<T, M>& a, C c) {
  return {a.value <= T(c)};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator<=(C c, const Dual<T, M>& a) {
  return {T(c) <= a.value};
}
template <class T, unsigned A, unsigned B>
DualMask<T> operator>(const Dual<T, A>& a, const Dual<T, B>& b) {
  return {a.value > b.value};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator>(const Dual<T, M>& a, C c) {
  return {a.value > T(c)};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator>(C c, const Dual<T, M>& a) {
  return {T(c) > a.value};
}
template <class T, unsigned A, unsigned B>
DualMask<T> operator>=(const Dual<T, A>& a, const Dual<T, B>& b) {
  return {a.value >= b.value};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator>=(const Dual<T, M>& a, C c) {
  return {a.value >= T(c)};
}
template <class T, unsigned M, Constant C>
DualMask<T> operator>=(C c, const Dual<T, M>& a) {
  return {T(c) >= a.value};
}

template <class T, unsigned M>
DualMask<T> is_nan(const Dual<T, M>& x) {
  return {is_nan(x.value)};
}

/// Where `m` holds a, elsewhere b; tangents alike, so that an infinite slope of the other branch does no
/// harm.
template <class T, unsigned A, unsigned B>
auto select(DualMask<T> m, const Dual<T, A>& a, const Dual<T, B>& b) {
  return detail::combine(
      select(m.v, a.value, b.value), a, b, [&](T x, T y) { return select(m.v, x, y); },
      [&](T x) { return select(m.v, x, T(0.0)); }, [&](T y) { return select(m.v, T(0.0), y); });
}
template <class T, unsigned A, Constant C>
auto select(DualMask<T> m, const Dual<T, A>& a, C b) {
  return select(m, a, Dual<T, 0>{T(b), {}});
}
template <class T, unsigned B, Constant C>
auto select(DualMask<T> m, C a, const Dual<T, B>& b) {
  return select(m, Dual<T, 0>{T(a), {}}, b);
}
template <class T, Constant A, Constant B>
auto select(DualMask<T> m, A a, B b) {
  return Dual<T, 0>{select(m.v, T(a), T(b)), {}};
}

// -- Functions, each with its slope. Largest errors of the slopes in ULP, f32 and f64, over the range where
// they are normal numbers:
//   exp, expm1            2     (|x| <= 80)
//   log, log1p, sqrt      2
//   sin, cos              2     (|x| <= 100)
//   tanh, sigmoid         6     (beyond +-43.5 or +-87, and in f64 +-354 or +-708, they stay where they are)
//   erf, normal_cdf       4
//   gelu                  5     of Phi(x) + |x phi(x)|, the terms of its slope
//   softplus              4

template <class T, unsigned M>
auto exp(const Dual<T, M>& x) {
  const T y = exp(x.value);
  return detail::chain(x, y, y);
}
template <class T, unsigned M>
auto expm1(const Dual<T, M>& x) {
  const auto y = expm1_sloped(x.value);
  return detail::chain(x, y.value, y.slope);
}
template <class T, unsigned M>
auto log(const Dual<T, M>& x) {
  return detail::chain(x, log(x.value), T(1.0) / x.value);
}
template <class T, unsigned M>
auto log1p(const Dual<T, M>& x) {
  return detail::chain(x, log1p(x.value), T(1.0) / (T(1.0) + x.value));
}
template <class T, unsigned M>
auto sqrt(const Dual<T, M>& x) {
  const T y = sqrt(x.value);
  return detail::chain(x, y, T(0.5) / y);
}
template <class T, unsigned M>
auto sin(const Dual<T, M>& x) {
  return detail::chain(x, sin(x.value), cos(x.value));
}
template <class T, unsigned M>
auto cos(const Dual<T, M>& x) {
  return detail::chain(x, cos(x.value), -sin(x.value));
}
template <class T, unsigned M>
auto erf(const Dual<T, M>& x) {
  const auto y = erf_sloped(x.value);
  return detail::chain(x, y.value, y.slope);
}
template <class T, unsigned M>
auto normal_cdf(const Dual<T, M>& x) {
  const auto y = normal_cdf_sloped(x.value);
  return detail::chain(x, y.value, y.slope);
}
template <class T, unsigned M>
[[gnu::always_inline]] inline auto tanh(const Dual<T, M>& x) {
  const auto y = tanh_sloped(x.value);
  return detail::chain(x, y.value, y.slope);
}
template <class T, unsigned M>
[[gnu::always_inline]] inline auto sigmoid(const Dual<T, M>& x) {
  const auto y = sigmoid_sloped(x.value);
  return detail::chain(x, y.value, y.slope);
}
/// Slope 0 at 0.
template <class T, unsigned M>
auto abs(const Dual<T, M>& x) {
  const T zero(0.0), sign = select(x.value > zero, T(1.0), select(x.value < zero, T(-1.0), zero));
  return detail::chain(x, abs(x.value), sign);
}
/// x >= 0 unless p is whole.
template <class T, unsigned M, Constant C>
auto pow(const Dual<T, M>& x, C exponent) {
  const auto p = static_cast<double>(exponent);

  return detail::chain(x, pow(x.value, p), p == 0 ? T(0.0) : T(p) * pow(x.value, p - 1));
}
/// x >= 0. The slope by y is taken as 0 at x = 0, the slope by x as 0 at y = 0.
template <class T, unsigned A, unsigned B>
auto pow(const Dual<T, A>& x, const Dual<T, B>& y) {
  const T z = pow(x.value, y.value);
  const T zero(0.0);
  const T by_x = select(y.value == zero, zero, y.value * pow(x.value, y.value - T(1.0)));
  const T by_y = select(x.value > zero, z * log(x.value), zero);
  return detail::chain(x, y, z, by_x, by_y);
}

}  // namespace unroll::ops::scalar

namespace unroll::ops {
using scalar::Dual;
}
