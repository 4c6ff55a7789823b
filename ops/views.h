// Parts of a value. Rows of the first axis and columns of the last are views: they cost nothing in either
// direction. Parts along an axis in between are copied.
#pragma once
#include <array>
#include <initializer_list>
#include <span>

#include "autograd/tape.h"

namespace unroll::ops {

/// Rows [begin, begin + count) of the first axis.
inline Var rows(Var x, Index begin, Index count, Where where = Where::here()) {
  return x.tape(where).rows(x, begin, count, where);
}
/// Columns [begin, begin + count) of the last axis.
inline Var columns(Var x, Index begin, Index count, Where where = Where::here()) {
  return x.tape(where).columns(x, begin, count, where);
}
/// The same elements under another shape. A slice of columns keeps its number of columns, or is made
/// contiguous() first.
inline Var reshape(Var x, const Shape& shape, Where where = Where::here()) {
  return x.tape(where).reshape(x, shape, where);
}
/// The same numbers, through which no gradient flows.
inline Var stop_gradient(Var x, Where where = Where::here()) { return x.tape(where).stop_gradient(x, where); }

/// Elements [begin, end) along an axis.
Var slice(Var x, int axis, Index begin, Index end, Where where = Where::here());

/// Parts of the given sizes along an axis, one after the other; the sizes must add up to its extent. The list
/// lives as long as its values, until the tape is cleared.
std::span<const Var> split(Var x, std::span<const Index> sizes, int axis, Where where = Where::here());
std::span<const Var> split(Var x, std::initializer_list<Index> sizes, int axis, Where where = Where::here());

/// N equal blocks of columns, as views:
///   auto [i, f, g, o] = split<4>(z);
template <std::size_t N>
std::array<Var, N> split(Var x, Where where = Where::here()) {
  std::array<Var, N> parts;
  x.tape(where).split(x, parts, where);
  return parts;
}

}  // namespace unroll::ops

namespace unroll {
using ops::columns;
using ops::reshape;
using ops::rows;
using ops::slice;
using ops::split;
using ops::stop_gradient;
}  // namespace unroll
