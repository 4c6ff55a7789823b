// Kernels on one contiguous row, shared by the softmax ops and the losses. The largest element is subtracted
// before exponentials are taken, so that nothing overflows. n may be 0.
#pragma once
#include "autograd/tensor/dtype.h"

namespace unroll::ops {

using autograd::Index;

/// NaN is passed over; -infinity for an empty row.
float row_max(const float* x, Index n);
double row_max(const double* x, Index n);

/// Four partial sums of SIMD lanes, so that the rounding error of a long row stays small.
float row_sum(const float* x, Index n);
double row_sum(const double* x, Index n);

/// The log of a sum of exponentials is `largest + rest`, but what is compared with it should be subtracted
/// from `largest` first: beside large numbers, the sum would lose the digits of `rest`, which is at most log
/// n.
template <class T>
struct LogSumExp {
  T largest, rest;
  T sum() const { return largest + rest; }
};

/// log of the sum of exp(x[i]): -infinity for an empty row or one of -infinity only, NaN if there is a NaN.
LogSumExp<float> row_logsumexp(const float* x, Index n);
LogSumExp<double> row_logsumexp(const double* x, Index n);

/// out[i] = exp(in[i]) / sum; returns row_logsumexp(in). In place if in == out. -infinity becomes 0; a row of
/// -infinity only, or with +infinity, becomes NaN.
LogSumExp<float> softmax_row(const float* in, float* out, Index n);
LogSumExp<double> softmax_row(const double* in, double* out, Index n);

}  // namespace unroll::ops
