// What may be done to gradients between backward and the optimiser's step. Gradients of rows stay gradients
// of rows: only the touched rows are read and written.
#pragma once
#include "autograd/parameter.h"

namespace unroll::nn {

/// Square root of the sum of squares of all elements of all gradients, added up in f64. Not finite if an
/// element is not: whether to skip the step is the caller's business.
double global_norm(const Gradients& gradients);
/// Scales all gradients so that their global norm is at most `limit` (Pascanu, Mikolov and Bengio 2013).
/// Returns the norm before. If that is not finite, nothing is scaled.
double clip_by_global_norm(Gradients& gradients, double limit,
                           SourceLocation location = SourceLocation::current());
/// Limits every element to [-limit, limit].
void clip_by_value(Gradients& gradients, double limit, SourceLocation location = SourceLocation::current());
void scale_gradients(Gradients& gradients, double factor);
/// into += from, for the sum over the passes of several threads. Sums made in one order have the same bits.
/// A gradient of rows is added row by row, and stays one unless the other side is dense.
void accumulate(Gradients& into, const Gradients& from);

}  // namespace unroll::nn

namespace unroll {
using nn::accumulate;
using nn::clip_by_global_norm;
using nn::clip_by_value;
using nn::global_norm;
using nn::scale_gradients;
}  // namespace unroll
