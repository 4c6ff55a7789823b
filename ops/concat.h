// Many values put together into one.
#pragma once
#include <initializer_list>
#include <span>

#include "autograd/tape.h"

namespace unroll::ops {

/// Joins values along an axis; all other extents must be equal. d_piece = its part of d_out. Linear in the
/// pieces, of which there may be many thousands.
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
using ops::stack;
}  // namespace unroll
