// The spectral norm of a small matrix.
#pragma once
#include <span>

#include "autograd/tensor/dtype.h"

namespace unroll::inspect {

/// The largest singular value of a [rows, cols], row after row, to 1e-12 of it, or to the distance of the
/// second largest if that is smaller. By Lanczos's method on a'a with full orthogonalisation (Golub and Van
/// Loan, Matrix Computations, 10.1). NaN if a number is not finite.
double largest_singular_value(std::span<const double> a, autograd::Index rows, autograd::Index cols);

}  // namespace unroll::inspect
