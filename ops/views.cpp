#include "ops/views.h"

#include <fmt/format.h>

#include <new>
#include <numeric>

#include "ops/axis.h"
#include "ops/concat.h"

namespace unroll::ops {

Var slice(Var x, int axis, Index begin, Index end, SourceLocation location) {
  Tape& tape = x.tape(location);
  const Shape shape = x.shape(location);
  axis = front_axis("slice", axis, shape, location);
  if (begin < 0 || end < begin || end > shape[axis])
    autograd::fail(
        "slice",
        fmt::format("elements {} to {} along axis {} of a value of shape {} came; needed 0 <= begin "
                    "<= end <= {}",
                    begin, end, axis, to_string(shape), shape[axis]),
        location);
  if (axis == shape.rank() - 1) return tape.columns(x, begin, end - begin, location);
  if (axis == 0) return tape.rows(x, begin, end - begin, location);
  // In between: what lies behind the axis becomes the columns.
  const Surroundings around(shape, axis);
  const Var flat = tape.reshape(contiguous(x, location), Shape{around.before, shape[axis] * around.after});
  const Var part = tape.columns(flat, begin * around.after, (end - begin) * around.after);
  return tape.reshape(contiguous(part, location), shape.with(axis, end - begin));
}

std::span<const Var> split(Var x, std::span<const Index> sizes, int axis, SourceLocation location) {
  const Shape shape = x.shape(location);
  axis = front_axis("split", axis, shape, location);
  for (Index size : sizes)
    if (size < 0)
      autograd::fail("split", fmt::format("a size of {} came; needed none below 0", size), location);
  const Index total = std::accumulate(sizes.begin(), sizes.end(), Index{0});
  if (total != shape[axis])
    autograd::fail("split",
                   fmt::format("sizes that add up to {} came for axis {} of a value of shape {}; needed {}",
                               total, axis, to_string(shape), shape[axis]),
                   location);
  Var* parts = x.tape(location).arena().allocate_array<Var>(sizes.size());
  Index begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    new (&parts[i]) Var(slice(x, axis, begin, begin + sizes[i], location));
    begin += sizes[i];
  }
  return {parts, sizes.size()};
}

std::span<const Var> split(Var x, std::initializer_list<Index> sizes, int axis, SourceLocation location) {
  return split(x, std::span(sizes.begin(), sizes.size()), axis, location);
}

}  // namespace unroll::ops
