// Sum, mean, maximum and minimum, over all elements or along one axis.
//
// An axis counts from the front, or with -1, -2, ... from the back. The result is without it, or has it with
// extent 1 (Keep::yes); over all elements it is a scalar of shape []. The sum of nothing is 0; mean, max and
// min of nothing throw Error.
#pragma once
#include "autograd/tape.h"
#include "ops/axis.h"

namespace unroll::ops {

/// y = sum of x; d_x = d_y.
Var sum(Var x, SourceLocation location = SourceLocation::current());
Var sum(Var x, int axis, Keep keep = Keep::no, SourceLocation location = SourceLocation::current());
/// y = (sum of x) / n; d_x = d_y / n.
Var mean(Var x, SourceLocation location = SourceLocation::current());
Var mean(Var x, int axis, Keep keep = Keep::no, SourceLocation location = SourceLocation::current());
/// y = the largest x; d_x = d_y for the first of equal elements, 0 for the others. A NaN among them is the
/// result, and then there is no gradient.
Var max(Var x, SourceLocation location = SourceLocation::current());
Var max(Var x, Axis axis, Keep keep = Keep::no, SourceLocation location = SourceLocation::current());
/// The same for the smallest.
Var min(Var x, SourceLocation location = SourceLocation::current());
Var min(Var x, Axis axis, Keep keep = Keep::no, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::max;
using ops::mean;
using ops::min;
using ops::sum;
}  // namespace unroll
