// Extents of 1 that are repeated.
#pragma once
#include <optional>
#include <span>

#include "autograd/tape.h"

namespace unroll::ops {

/// x repeated to `shape`: extents are compared from the last one, and those of 1, or that x has not, are
/// repeated, as NumPy has it. d_x = the sum of d_y over what was repeated.
Var broadcast_to(Var x, const Shape& shape, SourceLocation location = SourceLocation::current());

/// The shape to which all of these can be broadcast, if there is one.
std::optional<Shape> common_shape(std::span<const Shape> shapes);

}  // namespace unroll::ops

namespace unroll {
using ops::broadcast_to;
}
