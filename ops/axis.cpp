#include "ops/axis.h"

#include <fmt/format.h>

namespace unroll::ops {

int front_axis(const char* op, int axis, const Shape& shape, SourceLocation location) {
  const int rank = shape.rank();
  if (rank == 0)
    autograd::fail(op, fmt::format("axis {} of a scalar came; needed a value with axes", axis), location);
  if (axis < -rank || axis >= rank)
    autograd::fail(op,
                   fmt::format("axis {} of a value of shape {} came; needed {} to {}", axis, to_string(shape),
                               -rank, rank - 1),
                   location);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace unroll::ops
