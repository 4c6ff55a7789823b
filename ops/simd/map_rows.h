// Rows through SIMD packs, for what the compiler does not vectorise by itself: exponentials and sums. The
// instruction set is part of the functions' names, as in ops/simd/simd.h.
#pragma once
#include "ops/simd/functions.h"
#include "ops/simd/long_sums.h"

namespace unroll::ops {

/// to[c] = f(x[c]...), or to[c] += f(x[c]...) if it holds a sum already. In place if `to` is one of x.
template <class T, class F, class Arch = xsimd::default_arch, class... X>
void map_row(T* to, Index n, bool fresh, F f, const X*... x) {
  constexpr Index lanes = Pack<T>::lanes;
  Index c = 0;
  for (; c + lanes <= n; c += lanes) {
    const Pack<T> y = f(Pack<T>::load(x + c)...);
    (fresh ? y : Pack<T>::load(to + c) + y).store(to + c);
  }
  if (c == n) return;
  const Pack<T> y = f(load_part(x + c, n - c)...);
  store_part(fresh ? y : load_part<T>(to + c, n - c) + y, to + c, n - c);
}

template <class T, class F, class Arch = xsimd::default_arch, class... X>
T sum_run(Index n, F f, const T* first, const X*... x) {
  constexpr Index lanes = Pack<T>::lanes;
  Pack<T> even(0.0), odd(0.0);
  Index c = 0;
  for (; c + 2 * lanes <= n; c += 2 * lanes) {
    even = even + f(Pack<T>::load(first + c), Pack<T>::load(x + c)...);
    odd = odd + f(Pack<T>::load(first + c + lanes), Pack<T>::load(x + c + lanes)...);
  }
  for (; c + lanes <= n; c += lanes) even = even + f(Pack<T>::load(first + c), Pack<T>::load(x + c)...);
  const T total = (even + odd).sum();
  if (c == n) return total;
  return total + sum_part(Pack<T>(f(load_part(first + c, n - c), load_part(x + c, n - c)...)), n - c);
}

/// The sum of f(x[c]...).
template <class T, class F, class Arch = xsimd::default_arch, class... X>
T sum_row(Index n, F f, const T* first, const X*... x) {
  return sum_of_runs<T>(
      n, [&](Index begin, Index count) { return sum_run(count, f, first + begin, (x + begin)...); });
}

}  // namespace unroll::ops
