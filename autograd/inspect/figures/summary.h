// Many numbers in four.
#pragma once
#include "autograd/tape.h"

namespace unroll::inspect {

/// Sums over some numbers, in f64; 0 of none.
struct Summary {
  double norm = 0;     // Euclidean
  double mean = 0;     // of absolute values
  double largest = 0;  // absolute value; NaN if one is
  double zeros = 0;    // share of them that are 0, of 1
  bool operator==(const Summary&) const = default;
};
/// Of a value on a tape, and of its gradient where that is complete.
Summary summary_of(const autograd::Tape& tape, std::uint32_t value);
Summary summary_of_gradient(const autograd::Tape& tape, std::uint32_t value);
Summary summary_of(const autograd::Tensor& tensor);

}  // namespace unroll::inspect
