// Orthonormal rows.
#pragma once
#include "autograd/tensor/view.h"

namespace unroll::ops {

/// Replaces the rows by orthonormal ones with the same spans: row i stays in the span of rows 0 to i, on its
/// own side. The rows must be independent, so there are at most as many as columns. This is the Q of a QR
/// decomposition whose R has a positive diagonal, so that normally distributed rows give a Q that is
/// uniformly distributed over all rotations and reflections (Mezzadri 2007).
///
/// Blocked classical Gram-Schmidt, every projection done twice: "twice is enough" (Giraud, Langou and
/// Rozloznik 2005). Departure from orthonormality: a few ULP times the square root of the number of columns.
void orthonormalise(View<double> rows);

}  // namespace unroll::ops
