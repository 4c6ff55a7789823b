// Plain arithmetic on whole arrays of gradients.
#pragma once
#include <span>

#include "autograd/tensor/tensor.h"

namespace unroll::ops {

/// Sum of x^2, added up in f64: not finite only if an x is not (or in f64 beyond 1e154).
double sum_of_squares(std::span<const float> x);
double sum_of_squares(std::span<const double> x);
/// x *= factor
void scale(std::span<float> x, double factor);
void scale(std::span<double> x, double factor);
/// Limits every x to [-limit, limit]; a NaN stays.
void limit(std::span<float> x, double limit);
void limit(std::span<double> x, double limit);
/// into += from
void accumulate(std::span<const float> from, std::span<float> into);
void accumulate(std::span<const double> from, std::span<double> into);

}  // namespace unroll::ops
