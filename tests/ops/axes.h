// One axis of a tensor for the formulas of tests, by plain index arithmetic.
#pragma once
#include "autograd/tensor/tensor.h"

namespace unroll::tests {

/// Element (before, k, after) of a row-major tensor seen as [before, extent, after].
struct AlongAxis {
  Index before = 1, extent = 1, after = 1;
  AlongAxis(const Shape& s, int axis) : extent(s[axis]) {
    for (int i = 0; i < axis; ++i) before *= s[i];
    for (int i = axis + 1; i < s.rank(); ++i) after *= s[i];
  }
  Index operator()(Index b, Index k, Index a) const { return (b * extent + k) * after + a; }
};

}  // namespace unroll::tests
