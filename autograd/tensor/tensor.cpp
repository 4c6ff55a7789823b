#include "autograd/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace unroll::autograd {

namespace {
constexpr std::size_t kAlignment = 64;

// calloc keeps the untouched pages of large tensors virtual; the offset before the aligned block is stored
// just below it.
std::byte* allocate_zeroed(std::size_t bytes) {
  void* block = std::calloc(bytes + 2 * kAlignment, 1);
  if (!block) throw std::bad_alloc();
  auto address = reinterpret_cast<std::uintptr_t>(block);
  auto aligned = (address + 2 * kAlignment - 1) / kAlignment * kAlignment;
  auto* p = reinterpret_cast<std::byte*>(aligned);
  std::memcpy(p - sizeof(void*), &block, sizeof(void*));
  return p;
}

template <class From, class To>
void copy_rows(View<const From> from, View<To> to) {
  for (Index r = 0; r < from.rows(); ++r)
    std::transform(from.row(r), from.row(r) + from.cols(), to.row(r),
                   [](From x) { return static_cast<To>(x); });
}
}  // namespace

void Tensor::Free::operator()(std::byte* p) const {
  void* block;
  std::memcpy(&block, p - sizeof(void*), sizeof(void*));
  std::free(block);
}

Tensor::Tensor(const Shape& shape, DType dtype)
    : shape_(shape), dtype_(dtype), memory_(allocate_zeroed(bytes())) {}

Tensor Tensor::from(const Shape& shape, std::span<const double> values, DType dtype,
                    SourceLocation location) {
  if (static_cast<Index>(values.size()) != shape.size())
    fail(
        "tensor",
        fmt::format("{} numbers came for shape {}; needed {}", values.size(), to_string(shape), shape.size()),
        location);
  Tensor t(shape, dtype);
  for (std::size_t i = 0; i < values.size(); ++i) t.set(static_cast<Index>(i), values[i]);
  return t;
}

Tensor Tensor::from(const Shape& shape, std::initializer_list<double> values, DType dtype,
                    SourceLocation location) {
  return from(shape, std::span(values.begin(), values.size()), dtype, location);
}

Tensor::Tensor(const Tensor& other) : shape_(other.shape_), dtype_(other.dtype_) {
  if (other.empty()) return;
  memory_.reset(allocate_zeroed(bytes()));
  std::memcpy(memory_.get(), other.memory_.get(), bytes());
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this == &other) return *this;
  if (memory_ && other.memory_ && shape_ == other.shape_ && dtype_ == other.dtype_)
    std::memcpy(memory_.get(), other.memory_.get(), bytes());
  else
    *this = Tensor(other);
  return *this;
}

void Tensor::expect(DType dtype) const {
  if (dtype != dtype_)
    fail("tensor", fmt::format("asked for {} of a tensor of {}; convert it with to()", name_of(dtype),
                               name_of(dtype_)));
}

double Tensor::at(Index i, SourceLocation location) const {
  if (i < 0 || i >= size())
    fail("tensor", fmt::format("element {} asked for; needed 0 to {}", i, size() - 1), location);
  return dispatch(dtype_,
                  [&]<class T>() { return static_cast<double>(span<T>()[static_cast<std::size_t>(i)]); });
}

void Tensor::set(Index i, double value, SourceLocation location) {
  if (i < 0 || i >= size())
    fail("tensor", fmt::format("element {} to be set; needed 0 to {}", i, size() - 1), location);
  dispatch(dtype_, [&]<class T>() { span<T>()[static_cast<std::size_t>(i)] = static_cast<T>(value); });
}

std::vector<double> Tensor::values() const {
  return dispatch(dtype_, [&]<class T>() { return std::vector<double>(span<T>().begin(), span<T>().end()); });
}

void Tensor::fill(double value) {
  dispatch(dtype_, [&]<class T>() { std::ranges::fill(span<T>(), static_cast<T>(value)); });
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result(shape_, dtype);
  if (dtype == DType::f64)
    copy(view<float>(), result.view<double>());
  else
    copy(view<double>(), result.view<float>());
  return result;
}

void copy(View<const float> from, View<float> to) { copy_rows(from, to); }
void copy(View<const double> from, View<double> to) { copy_rows(from, to); }
void copy(View<const float> from, View<double> to) { copy_rows(from, to); }
void copy(View<const double> from, View<float> to) { copy_rows(from, to); }

}  // namespace unroll::autograd
