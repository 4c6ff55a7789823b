// What pointwise() asks of a lambda while it compiles.
#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "ops/simd/functions.h"

namespace unroll::ops::detail {

// A lambda gives one number, or a tuple, a pair or an array of them.
template <class R>
inline constexpr bool several = requires {
  std::tuple_size<R>::value;
};
template <class R>
constexpr int outputs_of() {
  if constexpr (several<R>)
    return std::tuple_size<R>::value;
  else
    return 1;
}
template <int O, class R>
const auto& output_of(const R& result) {
  if constexpr (several<R>)
    return std::get<O>(result);
  else
    return result;
}
template <class R>
constexpr bool gives_numbers() {
  if constexpr (several<R>) return []<std::size_t... O>(std::index_sequence<O...>) {
      return sizeof...(O) > 0 && (scalar::Operand<std::tuple_element_t<O, R>> && ...);
    }
  (std::make_index_sequence<std::tuple_size<R>::value>{});
  else return scalar::Operand<R>;
}

template <std::size_t N>
struct Bytes {
  unsigned char numbers[N];
};
template <class F>
constexpr bool made_of_bytes() {
  [[maybe_unused]] const F f = __builtin_bit_cast(F, Bytes<sizeof(F)>{});
  return true;
}
/// Whether a closure holds values alone. One that holds a reference has no standard layout. Pointers, `this`
/// among them, cannot be made of bytes while compiling, which gcc does not try for closures: there one is
/// found that holds nothing but pointers, or whole numbers of 64 bits, for which it is taken by mistake.
template <class F>
constexpr bool captures_values() {
  if constexpr (!std::is_trivially_copyable_v<F> || !std::is_standard_layout_v<F>)
    return false;
  else
#if defined(__clang__)
    return requires { typename std::bool_constant<made_of_bytes<F>()>; };
#else
    return alignof(F) < alignof(void*) || !std::has_unique_object_representations_v<F>;
#endif
}

/// Whether F is a function for N operands; if not, with one error that says why.
template <class F, class Result, bool kInvocable>
constexpr bool accepted() {
  static_assert(
      captures_values<F>(),
      "[pointwise] the lambda captures by reference, this, a pointer, or what is no number; it is "
      "called in backward too: capture numbers by value, [k] or [k = rate * 2] (64-bit ones as double)");
  if constexpr (captures_values<F>()) {
    static_assert(kInvocable,
                  "[pointwise] the lambda cannot be called: needed one `auto` parameter for each operand, no "
                  "`mutable`, and functions of the vocabulary, max(x, 0) for std::max(x, 0.0)");
    if constexpr (kInvocable) {
      static_assert(gives_numbers<Result>(),
                    "[pointwise] the lambda gives no number, and no tuple, pair or array of numbers; for a "
                    "comparison write select(c, 1, 0)");
      return gives_numbers<Result>();
    }
  }
  return false;
}

template <class>
using Probe = Dual<Pack<float>, 1u>;
// Called only where F holds values: nothing of a lambda that is refused is compiled.
template <class F, class... X>
constexpr bool accepts() {
  if constexpr (!captures_values<F>())
    return accepted<F, void, false>();
  else if constexpr (!std::is_invocable_v<const F&, Probe<X>...>)
    return accepted<F, void, false>();
  else
    return accepted<F, std::invoke_result_t<const F&, Probe<X>...>, true>();
}

}  // namespace unroll::ops::detail
