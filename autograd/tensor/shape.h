// The extents of a tensor. Everything is row-major; all axes but the last are "rows", the last is "columns".
#pragma once
#include <array>
#include <initializer_list>
#include <limits>
#include <string>

#include "autograd/system/error.h"
#include "autograd/tensor/dtype.h"

namespace unroll::autograd {

/// Up to four extents, on the stack. Rank 0 is a scalar of one element; an extent may be 0.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  constexpr Shape() = default;
  /// Throws Error for more than four extents, or one below 0 or above 2^31 - 1, or a product of 2^56 and
  /// more.
  Shape(std::initializer_list<Index> extents, SourceLocation location = SourceLocation::current()) {
    if (extents.size() > kMaxRank) reject_rank(extents.size(), location);
    for (Index extent : extents) extents_[static_cast<std::size_t>(rank_++)] = checked(extent, location);
    finish(location);
  }

  int rank() const { return rank_; }
  /// `axis` counts from the front, or with -1, -2, ... from the back.
  Index operator[](int axis) const {
    return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)];
  }

  Index size() const { return rows() * cols(); }
  /// Product of all extents but the last.
  Index rows() const { return rows_; }
  /// The last extent; 1 for a scalar.
  Index cols() const { return cols_; }

  /// The same shape with one extent replaced. Throws as the constructor does.
  Shape with(int axis, Index extent, SourceLocation location = SourceLocation::current()) const {
    Shape result = *this;
    result.set(axis, extent, location);
    return result;
  }
  void set(int axis, Index extent, SourceLocation location = SourceLocation::current()) {
    extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = checked(extent, location);
    finish(location);
  }
  Shape without(int axis) const;
  /// Makes the first or the last extent smaller, as views do, which needs no checks. Not for scalars.
  void shrink_rows(Index extent) {
    if (rank_ == 1) return shrink_cols(extent);
    rows_ = rank_ == 2 ? extent : extents_[0] == 0 ? 0 : rows_ / extents_[0] * extent;
    extents_[0] = static_cast<std::int32_t>(extent);
  }
  void shrink_cols(Index extent) {
    cols_ = extents_[static_cast<std::size_t>(rank_ - 1)] = static_cast<std::int32_t>(extent);
  }

  // Extents beyond the rank are 0; up to two of them are rows and columns.
  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && a.rows_ == b.rows_ && a.cols_ == b.cols_ &&
           (a.rank_ <= 2 || a.extents_ == b.extents_);
  }

 private:
  static std::int32_t checked(Index extent, SourceLocation location) {
    if (extent < 0 || extent > std::numeric_limits<std::int32_t>::max()) reject_extent(extent, location);
    return static_cast<std::int32_t>(extent);
  }
  [[noreturn]] static void reject_rank(std::size_t rank, SourceLocation location);
  [[noreturn]] static void reject_extent(Index extent, SourceLocation location);
  void check_size(SourceLocation location) const;
  // Four extents below 2^14 have a product below 2^56.
  void finish(SourceLocation location) {
    if ((extents_[0] | extents_[1] | extents_[2] | extents_[3]) >> 14 != 0) check_size(location);
    rows_ = cols_ = 1;
    for (int i = 0; i + 1 < rank_; ++i) rows_ *= extents_[static_cast<std::size_t>(i)];
    if (rank_ > 0) cols_ = extents_[static_cast<std::size_t>(rank_ - 1)];
  }

  std::array<std::int32_t, kMaxRank> extents_{};
  std::int32_t rank_ = 0, cols_ = 1;
  Index rows_ = 1;
};

/// "[3, 4]"; a scalar is "[]".
std::string to_string(const Shape& shape);

}  // namespace unroll::autograd

namespace unroll {
using autograd::Shape;
}
