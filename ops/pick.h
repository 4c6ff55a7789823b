// One element of each row.
#pragma once
#include "autograd/tape.h"
#include "ops/integers.h"

namespace unroll::ops {

/// y[r] = x[r, columns[r]] for x of shape [..., V] and a column, 0 to V - 1, for each row; y has no last
/// axis. d_x = d_y there, 0 elsewhere. pick(log_softmax(x), labels) are the log likelihoods of labels.
Var pick(Var x, const Integers& columns, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::pick;
}
