// What a pointwise lambda may not do with its arguments: one error of the compiler, which says what to write.
// Each is a template that is instantiated once, whatever the arguments' type, so that a lambda that is
// compiled for packs, duals and others gives one error and no more.
#pragma once
#include <concepts>
#include <type_traits>

namespace unroll::ops::scalar {

/// A number of C++ in a formula: 2, 0.5f, a captured double.
template <class C>
concept Constant = std::is_arithmetic_v<C>;

namespace detail {

template <class>
inline constexpr bool never = false;

/// What takes doubles or truths takes numbers and comparisons of a lambda too, and fails here: std::exp(x),
/// c ? x : 1.0, if (c), a && b.
template <class D>
D refuse() {
  static_assert(
      never<D>,
      "[pointwise] not in the vocabulary of lambdas (ops/pointwise.h): write exp(x) for std::exp(x), "
      "as for others; select(c, a, b) for c ? a : b and if; a & b, a | b for a && b, a || b");
  return D();
}
template <class D>
void refuse_rounding() {
  static_assert(
      never<D>,
      "[pointwise] floor, ceil, round and trunc have no slope: compute them from x.tensor() and give "
      "them in as tape.constant()");
}

}  // namespace detail
}  // namespace unroll::ops::scalar
