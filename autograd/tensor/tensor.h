// Values that outlive tapes: parameters, data, results.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "autograd/system/error.h"
#include "autograd/tensor/dtype.h"
#include "autograd/tensor/shape.h"
#include "autograd/tensor/view.h"

namespace unroll::autograd {

/// Owns 64-byte-aligned, zero-initialised memory of one dtype, row-major. Copying copies the values, into
/// the memory that is there if shape and dtype agree.
/// Pages of a large tensor that nobody touched take no memory.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape, DType dtype = DType::f32);
  /// `values` in row-major order; throws Error unless there are shape.size() of them.
  static Tensor from(const Shape& shape, std::span<const double> values, DType dtype = DType::f32,
                     SourceLocation location = SourceLocation::current());
  static Tensor from(const Shape& shape, std::initializer_list<double> values, DType dtype = DType::f32,
                     SourceLocation location = SourceLocation::current());

  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Index size() const { return shape_.size(); }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }
  bool empty() const { return memory_ == nullptr; }

  /// The values as T; throws Error if T is not the tensor's dtype.
  template <class T>
  View<T> view() {
    expect(dtype_of<T>);
    return view_of(reinterpret_cast<T*>(memory_.get()), shape_);
  }
  template <class T>
  View<const T> view() const {
    expect(dtype_of<T>);
    return view_of(reinterpret_cast<const T*>(memory_.get()), shape_);
  }
  template <class T>
  std::span<T> span() {
    return {view<T>().data, static_cast<std::size_t>(size())};
  }
  template <class T>
  std::span<const T> span() const {
    return {view<T>().data, static_cast<std::size_t>(size())};
  }
  std::byte* raw() { return memory_.get(); }
  const std::byte* raw() const { return memory_.get(); }

  /// One element by its row-major position, whatever the dtype.
  double at(Index i, SourceLocation location = SourceLocation::current()) const;
  void set(Index i, double value, SourceLocation location = SourceLocation::current());
  std::vector<double> values() const;

  void fill(double value);
  /// The same values in another dtype.
  Tensor to(DType dtype) const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  void expect(DType dtype) const;

  Shape shape_{0};
  DType dtype_ = DType::f32;
  std::unique_ptr<std::byte[], Free> memory_;
};

/// Copies rows between views of the same extents, converting the dtype where it differs.
void copy(View<const float> from, View<float> to);
void copy(View<const double> from, View<double> to);
void copy(View<const float> from, View<double> to);
void copy(View<const double> from, View<float> to);

}  // namespace unroll::autograd

namespace unroll {
using autograd::Tensor;
}
