// Many values put together into one.
#pragma once
#include <initializer_list>
#include <span>

#include "autograd/tape.h"

namespace unroll::ops {

/// Where the first element of a piece goes.
struct Place {
  Index row, column;
};

/// A value of shape `result` in which each piece, taken as a rectangle of rows() x cols(), lies at its place.
/// Throws Error unless they cover every element of the result once.
/// d_piece = the same rectangle of d_out. Linear in the pieces, of which there may be many thousands.
Var paste(Tape& tape, std::span<const Var> pieces, std::span<const Place> places, const Shape& result,
          SourceLocation location = SourceLocation::current());

namespace detail {
/// The same for pieces whose places were computed: only their bounds and their total size are checked.
Var paste_computed(Tape& tape, std::span<const Var> pieces, std::span<const Place> places,
                   const Shape& result, SourceLocation location = SourceLocation::current());
}  // namespace detail

/// Joins values along an axis; all other extents must be equal.
Var concat(std::span<const Var> pieces, int axis, SourceLocation location = SourceLocation::current());
Var concat(std::initializer_list<Var> pieces, int axis, SourceLocation location = SourceLocation::current());
/// Joins values of equal shapes, of rank 3 at most, along a new first axis.
Var stack(std::span<const Var> pieces, SourceLocation location = SourceLocation::current());
Var stack(std::initializer_list<Var> pieces, SourceLocation location = SourceLocation::current());
/// x itself where its rows follow each other in memory, else a copy of which this is true.
Var contiguous(Var x, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::concat;
using ops::contiguous;
using ops::paste;
using ops::Place;
using ops::stack;
}  // namespace unroll
