// Axes of a value, counted from the front, or with -1, -2, ... from the back.
#pragma once
#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"

namespace unroll::ops {

using autograd::Index;
using autograd::Shape;

/// Says that a number is an axis, where it could be taken for a value: max(x, Axis(1)), but max(x, 1.0).
class Axis {
 public:
  explicit constexpr Axis(int index) : index_(index) {}
  constexpr operator int() const { return index_; }

 private:
  int index_;
};

/// Whether an axis that was reduced to one element stays, with extent 1.
enum class Keep : bool { no, yes };

/// `axis` counted from the front; throws Error unless the shape has it.
int front_axis(const char* op, int axis, const Shape& shape, SourceLocation location);

/// Products of the extents before and after one axis.
struct Surroundings {
  Index before = 1, after = 1;
  Surroundings(const Shape& shape, int axis) {
    for (int i = 0; i < axis; ++i) before *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) after *= shape[i];
  }
};

}  // namespace unroll::ops

namespace unroll {
using ops::Axis;
using ops::Keep;
}  // namespace unroll
