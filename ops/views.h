// Parts of a value. Rows of the first axis and columns of the last are views: they cost nothing in either
// direction. Parts along an axis in between are copied.
#pragma once
#include <array>
#include <initializer_list>
#include <span>

#include "autograd/tape.h"

namespace unroll::ops {

/// Rows [begin, begin + count) of the first axis.
inline Var rows(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current()) {
  return x.tape(location).rows(x, begin, count, location);
}
/// Columns [begin, begin + count) of the last axis.
inline Var columns(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current()) {
  return x.tape(location).columns(x, begin, count, location);
}
/// The same elements under another shape. A slice of columns keeps its number of columns, or is made
/// contiguous() first.
inline Var reshape(Var x, const Shape& shape, SourceLocation location = SourceLocation::current()) {
  return x.tape(location).reshape(x, shape, location);
}
/// The same numbers, through which no gradient flows.
inline Var stop_gradient(Var x, SourceLocation location = SourceLocation::current()) {
  return x.tape(location).stop_gradient(x, location);
}

/// Elements [begin, end) along an axis.
Var slice(Var x, int axis, Index begin, Index end, SourceLocation location = SourceLocation::current());

/// Parts of the given sizes along an axis, one after the other; the sizes must add up to its extent. The list
/// lives as long as its values, until the tape is cleared.
std::span<const Var> split(Var x, std::span<const Index> sizes, int axis,
                           SourceLocation location = SourceLocation::current());
std::span<const Var> split(Var x, std::initializer_list<Index> sizes, int axis,
                           SourceLocation location = SourceLocation::current());

/// N equal blocks of columns, as views:
///   auto [i, f, g, o] = split<4>(z);
template <std::size_t N>
std::array<Var, N> split(Var x, SourceLocation location = SourceLocation::current()) {
  std::array<Var, N> parts;
  x.tape(location).split(x, parts, location);
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
