// Pooling over time of ragged batches: from packed rows [N, F] (ops/layout.h) to one row a sequence, [B, F]
// in the caller's order of sequences. Every op goes through its rows once.
#pragma once
#include "autograd/tape.h"
#include "ops/layout.h"

namespace unroll::ops {

/// y[b] = sum over t of x[b, t]; d_x[b, t] = d_y[b].
Var segment_sum(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// y[b] = sum over t of w[b, t] x[b, t], with one weight a row, [N, 1]: attention pooling.
/// d_x[b, t] = w[b, t] d_y[b], d_w[b, t] = (d_y[b], x[b, t]).
Var segment_sum(Var x, Var weights, const Layout& layout,
                SourceLocation location = SourceLocation::current());
/// y[b] = segment_sum / length of b.
Var segment_mean(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// y[b, f] = max over t of x[b, t, f]; d_x = d_y at the first t where the maximum is reached, 0 elsewhere. A
/// NaN is larger than all numbers.
Var segment_max(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// Softmax over the time steps of each sequence, for each column by itself: y [N, K] of scores [N, K].
/// d_x[b, t] = y[b, t] (d_y[b, t] - sum over s of y[b, s] d_y[b, s]).
Var segment_softmax(Var scores, const Layout& layout, SourceLocation location = SourceLocation::current());
/// y[b, f] = log of the sum over t of exp(x[b, t, f]); d_x[b, t] = exp(x[b, t] - y[b]) d_y[b].
Var segment_logsumexp(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// y[b] = the last row of sequence b.
Var last_rows(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// The other way: y[b, t] = x[b] at every step, [B, F] to [N, F].
Var repeat_over_time(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::last_rows;
using ops::repeat_over_time;
using ops::segment_logsumexp;
using ops::segment_max;
using ops::segment_mean;
using ops::segment_softmax;
using ops::segment_sum;
}  // namespace unroll
