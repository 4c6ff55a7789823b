// The extents of a tensor. Everything is row-major; all axes but the last are "rows", the last is "columns".
#pragma once
#include <array>
#include <initializer_list>
#include <string>

#include "autograd/dtype.h"

namespace unroll::autograd {

/// Up to four extents, on the stack. Rank 0 is a scalar of one element; an extent may be 0.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  constexpr Shape() = default;
  /// Throws Error for more than four extents, one below 0 or above 2^31 - 1, or a product of 2^56 and more.
  Shape(std::initializer_list<Index> extents);

  int rank() const { return rank_; }
  /// `axis` counts from the front, or with -1, -2, ... from the back.
  Index operator[](int axis) const {
    return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)];
  }

  Index size() const { return rows() * cols(); }
  /// Product of all extents but the last.
  Index rows() const {
    Index n = 1;
    for (int i = 0; i + 1 < rank_; ++i) n *= extents_[static_cast<std::size_t>(i)];
    return n;
  }
  /// The last extent; 1 for a scalar.
  Index cols() const { return rank_ == 0 ? 1 : extents_[static_cast<std::size_t>(rank_ - 1)]; }

  /// The same shape with one extent replaced.
  /// Throws as the constructor does.
  Shape with(int axis, Index extent) const;
  Shape without(int axis) const;

  bool operator==(const Shape&) const = default;

 private:
  void check_size() const;
  std::array<std::int32_t, kMaxRank> extents_{};
  std::int32_t rank_ = 0;
};

/// "[3, 4]"; a scalar is "[]".
std::string to_string(const Shape& shape);

}  // namespace unroll::autograd

namespace unroll {
using autograd::Shape;
}
