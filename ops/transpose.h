// Exchange of the last two axes.
#pragma once
#include "autograd/tape.h"

namespace unroll::ops {

/// y[..., c, r] = x[..., r, c]: x is [..., R, C] of rank 2 or more, the result [..., C, R]. d_x is d_y with
/// the same axes exchanged. A copy; matmul() takes transposed operands without one.
Var transpose(Var x, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::transpose;
}
