// Layer normalisation.
#pragma once
#include "ops/elementwise.h"

namespace unroll::ops {

/// y = gain (x - m) / sqrt(v + epsilon) + bias, with m and v the mean and the (biased) variance of each row
/// of the last axis (Ba, Kiros and Hinton 2016). gain and bias are [columns]. With h = (x - m) / sqrt(v +
/// epsilon) and g = gain d_y: d_x = (g - mean g - h mean(g h)) / sqrt(v + epsilon), d_gain = sum of h d_y
/// over rows, d_bias = sum of d_y over rows.
Var layer_norm(Var x, Term gain, Term bias, double epsilon = 1e-5,
               SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::layer_norm;
}
