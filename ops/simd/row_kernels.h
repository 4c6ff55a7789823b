// What many ops do to whole rows: copy, add, scale, sum. Plain loops over memory that does not overlap, so
// that the compiler vectorises them.
#pragma once
#include <algorithm>

#include "autograd/op.h"
#include "ops/simd/long_sums.h"

namespace unroll::ops {

using autograd::Index;
using autograd::Into;
using autograd::View;

/// to[c] = value(c), or to[c] += value(c) if it holds a sum already. `value` must not read `to`.
template <class T, class F>
void put_row(T* __restrict to, Index n, bool fresh, F value) {
  if (fresh)
    for (Index c = 0; c < n; ++c) to[c] = value(c);
  else
    for (Index c = 0; c < n; ++c) to[c] += value(c);
}

/// to[c] += from[c]
template <class T>
void add_row(const T* __restrict from, Index n, T* __restrict to) {
  for (Index c = 0; c < n; ++c) to[c] += from[c];
}
/// to[c] += scale * from[c]
template <class T>
void add_scaled_row(T scale, const T* __restrict from, Index n, T* __restrict to) {
  for (Index c = 0; c < n; ++c) to[c] += scale * from[c];
}
/// to[c] *= scale
template <class T>
void scale_row(T scale, Index n, T* to) {
  for (Index c = 0; c < n; ++c) to[c] *= scale;
}

/// f(row of from, elements, row of to) for all rows; for all at once where nothing lies between them.
template <class T, class F>
void each_row(View<const T> from, View<T> to, F f) {
  if (from.contiguous() && to.contiguous()) return f(from.data, from.size(), to.data);
  for (Index r = 0; r < from.rows(); ++r) f(from.row(r), from.cols(), to.row(r));
}

template <class T>
void copy_rows(View<const T> from, View<T> to) {
  each_row(from, to, [](const T* x, Index n, T* y) { std::copy_n(x, n, y); });
}
template <class T>
void add_rows(View<const T> from, View<T> to) {
  each_row(from, to, add_row<T>);
}
/// Copies if `into` is fresh, adds otherwise.
template <class T>
void put_rows(View<const T> from, Into<T> into) {
  into.fresh ? copy_rows(from, into.view) : add_rows(from, into.view);
}
/// to[c] += sum over r in [begin, end) of from(r, c), from the last row to the first, as backward goes
/// through time. Four rows at a time: `to` is read and written a quarter as often.
template <class T>
void sum_rows(View<const T> from, Index begin, Index end, T* __restrict to) {
  const Index cols = from.cols();
  Index r = end;
  for (; r >= begin + 4; r -= 4) {
    const T *a = from.row(r - 1), *b = from.row(r - 2), *c = from.row(r - 3), *d = from.row(r - 4);
    for (Index i = 0; i < cols; ++i) to[i] = (((to[i] + a[i]) + b[i]) + c[i]) + d[i];
  }
  while (r-- > begin) add_row(from.row(r), cols, to);
}
/// The same of all rows, for an op that takes_memory. A long sequence has the same bits at once and in
/// segments as long as it has no more than kPlainSum rows.
template <class T>
void sum_rows(const autograd::Backward<T>& context, View<const T> from, T* to) {
  LongSums<T> sums(context.tape().pool(), to, from.cols(), from.rows());
  if (context.dry()) return;
  const Index block = from.rows() <= kPlainSum ? kPlainSum : kSumBlock;
  for (Index end = from.rows(); end > 0; end -= block) {
    sum_rows(from, std::max<Index>(end - block, 0), end, to);
    sums.fold();
  }
  sums.finish();
}

/// The rectangle of `shape` whose first element is v(row, column).
template <class T>
View<T> rectangle(View<T> v, Index row, Index column, const autograd::Shape& shape) {
  return {v.data + row * v.stride + column, shape, v.stride};
}

}  // namespace unroll::ops
