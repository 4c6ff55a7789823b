// Softmax and its relatives over the last axis. The largest element of a row is subtracted before
// exponentials are taken, so that nothing overflows.
#pragma once
#include "autograd/tape.h"

namespace unroll::ops {

/// y = exp(x) / sum exp(x); d_x = y (d_y - sum y d_y).
Var softmax(Var x, SourceLocation location = SourceLocation::current());
/// y = x - log sum exp(x); d_x = d_y - exp(y) sum d_y.
Var log_softmax(Var x, SourceLocation location = SourceLocation::current());
/// y = log sum exp(x), without the last axis; d_x = exp(x - y) d_y. A row without columns throws Error.
Var logsumexp(Var x, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::log_softmax;
using ops::logsumexp;
using ops::softmax;
}  // namespace unroll
