// Values that no node made: constants, variables, parameters, what is lent to the tape or reserved on it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <new>

#include "autograd/tape.h"

namespace unroll::autograd {

namespace {

// Memory for the numbers of a leaf.
std::byte* allocate(Arena& arena, const Shape& shape, DType dtype, const char* op, SourceLocation location) {
  const std::size_t bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype);
  try {
    return arena.allocate(bytes);
  } catch (const std::bad_alloc&) {
    fail(op,
         fmt::format("a value of shape {} came, of {} bytes; needed one that there is memory for",
                     to_string(shape), bytes),
         location);
  }
}

}  // namespace

std::uint32_t Tape::add_leaf(const Shape& shape, std::byte* data, SourceLocation location, std::uint32_t of) {
  const std::uint32_t id = add_root(shape, data, false);
  Leaf& leaf = leaves_.add();
  leaf.location = location;
  leaf.of = of;
  roots_.back().leaf = static_cast<std::uint32_t>(leaves_.size());
  return id;
}

Var Tape::constant(const Tensor& tensor, SourceLocation location) {
  if (tensor.empty()) fail("constant", "an empty tensor came; needed one with memory", location);
  std::byte* data = allocate(arena_, tensor.shape(), dtype_, "constant", location);
  if (!dry_)
    dispatch(tensor.dtype(), [&]<class From>() {
      dispatch(dtype_, [&]<class To>() {
        copy(tensor.view<From>(), view_of(reinterpret_cast<To*>(data), tensor.shape()));
      });
    });
  return handle(add_leaf(tensor.shape(), data, location));
}

Var Tape::constant(const Shape& shape, std::span<const float> values, SourceLocation location) {
  if (static_cast<Index>(values.size()) != shape.size())
    fail(
        "constant",
        fmt::format("{} numbers came for shape {}; needed {}", values.size(), to_string(shape), shape.size()),
        location);
  std::byte* data = allocate(arena_, shape, dtype_, "constant", location);
  if (!dry_)
    dispatch(dtype_, [&]<class T>() {
      copy(view_of(values.data(), shape), view_of(reinterpret_cast<T*>(data), shape));
    });
  return handle(add_leaf(shape, data, location));
}

Var Tape::full(const Shape& shape, double value, SourceLocation location) {
  const auto count = static_cast<std::size_t>(shape.size());
  std::byte* data = allocate(arena_, shape, dtype_, "full", location);
  if (!dry_)
    dispatch(dtype_,
             [&]<class T>() { std::fill_n(reinterpret_cast<T*>(data), count, static_cast<T>(value)); });
  const std::uint32_t id = add_leaf(shape, data, location);
  values_[id].zero = value == 0;
  return handle(id);
}

Var Tape::variable(const Tensor& tensor, SourceLocation location) {
  Var x = constant(tensor, location);
  values_[x.index_].wants_gradient = true;
  roots_.back().keeps_gradient = true;
  return x;
}

// Its value may have gone with a frame.
bool Tape::lives(const Bound& b) const {
  return b.pass == pass_ && b.value < values_.size() && root(b.value).parameter == b.leaf;
}

Var Tape::snapshot(Var x, SourceLocation location) {
  const std::uint32_t id = check_numbers(x, "snapshot", location);
  const Shape shape = values_[id].shape;
  std::byte* data = allocate(arena_, shape, dtype_, "snapshot", location);
  if (!dry_)
    dispatch(dtype_, [&]<class T>() {
      const View<const T> from{reinterpret_cast<const T*>(values_[id].data), shape, values_[id].stride};
      copy(from, view_of(reinterpret_cast<T*>(data), shape));
    });
  roots_[values_[id].root].read = true;
  return handle(add_leaf(shape, data, location, id));
}

Var Tape::borrow(std::byte* numbers, const Shape& shape, Index stride, SourceLocation location) {
  const std::uint32_t id = add_leaf(shape, numbers, location);
  values_[id].stride = static_cast<std::int32_t>(stride);
  roots_.back().bytes = end_of(values_[id]);
  return handle(id);
}

Var Tape::borrow(const Tensor& tensor, SourceLocation location) {
  if (tensor.empty() || tensor.dtype() != dtype_)
    fail("borrow",
         tensor.empty() ? "an empty tensor came; needed one with memory"
                        : fmt::format("a tensor of {} came; needed {}, or a copy by constant()",
                                      name_of(tensor.dtype()), name_of(dtype_)),
         location);
  return borrow(const_cast<std::byte*>(tensor.raw()), tensor.shape(), tensor.shape().cols(), location);
}

Var Tape::borrow(std::byte* numbers, const Shape& shape, Index stride, std::byte* gradient,
                 SourceLocation location) {
  const Var x = borrow(numbers, shape, stride, location);
  values_[x.index_].wants_gradient = true;
  Root& root = roots_.back();
  root.keeps_gradient = true;
  root.gradient = gradient;
  root.valid_end = root.bytes;
  return x;
}

Var Tape::parameter(const Parameter& parameter) {
  if (bound_.size() < 2 * (bound_count_ + 1)) {
    std::vector<Bound> old(std::max<std::size_t>(64, 2 * bound_.size()));
    old.swap(bound_);
    for (const Bound& b : old)
      if (b.pass == pass_) {
        std::size_t i = std::hash<const void*>{}(b.leaf) / sizeof(Parameter::Leaf) & (bound_.size() - 1);
        while (bound_[i].pass == pass_) i = (i + 1) & (bound_.size() - 1);
        bound_[i] = b;
      }
  }
  const Parameter::Leaf* leaf = parameter.leaf();
  if (!leaf) fail("parameter", "a parameter came that was moved elsewhere; needed the one it was moved to");
  const std::size_t mask = bound_.size() - 1;
  std::size_t i = std::hash<const void*>{}(leaf) / sizeof(Parameter::Leaf) & mask;
  while (bound_[i].pass == pass_ && bound_[i].leaf != leaf) i = (i + 1) & mask;
  const bool known = bound_[i].pass == pass_;
  if (known && lives(bound_[i])) return handle(bound_[i].value);

  std::uint32_t id;
  if (leaf->value.dtype() == dtype_) {
    id = add_leaf(leaf->value.shape(), const_cast<std::byte*>(leaf->value.raw()), {});
  } else {
    id = constant(leaf->value, {}).index_;
  }
  values_[id].wants_gradient = leaf->trainable;
  roots_.back().parameter = leaf;
  bound_[i] = {leaf, id, pass_};
  bound_count_ += !known;
  return handle(id);
}

Var Tape::reserve(const Shape& shape, SourceLocation location) {
  const std::uint32_t id = add_root(shape, allocate(arena_, shape, dtype_, "reserve", location), false);
  Root& root = roots_.back();
  root.read = root.viewed = root.reserved = true;
  return handle(id);
}

}  // namespace unroll::autograd
