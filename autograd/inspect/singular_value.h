// The spectral norm of a small matrix.
#pragma once
#include <span>

#include "autograd/dtype.h"

namespace unroll::inspect {

/// The largest singular value of a [rows, cols], row after row, to about 1e-12 of it. By Lanczos's method on
/// a'a with full orthogonalisation (Golub and Van Loan, Matrix Computations, 10.1).
double largest_singular_value(std::span<const double> a, autograd::Index rows, autograd::Index cols);

}  // namespace unroll::inspect
