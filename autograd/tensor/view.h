// A window on somebody else's numbers.
#pragma once
#include <type_traits>

#include "autograd/tensor/shape.h"

namespace unroll::autograd {

/// Pointer, shape and row stride; owns nothing. Rows are `stride` elements apart, a row is contiguous,
/// so that a slice of rows or of columns is a view too.
template <class T>
struct View {
  T* data = nullptr;
  Shape shape;
  Index stride = 0;

  Index rows() const { return shape.rows(); }
  Index cols() const { return shape.cols(); }
  Index size() const { return shape.size(); }
  T* row(Index r) const { return data + r * stride; }
  T& operator()(Index r, Index c) const { return data[r * stride + c]; }
  bool contiguous() const { return stride == cols() || rows() <= 1; }

  operator View<const T>() const requires(!std::is_const_v<T>) { return {data, shape, stride}; }
};

/// A contiguous view of `data`.
template <class T>
View<T> view_of(T* data, const Shape& shape) {
  return {data, shape, shape.cols()};
}

}  // namespace unroll::autograd

namespace unroll {
using autograd::View;
}
