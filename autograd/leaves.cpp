// Values that no node made: constants, variables, parameters, and what is lent to the tape.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "autograd/tape.h"

namespace unroll::autograd {

Var Tape::constant(const Tensor& tensor, SourceLocation location) {
  if (tensor.empty()) fail("constant", "an empty tensor came; needed one with memory", location);
  std::byte* data = storage_.leaf(tensor.shape(), dtype_, "constant", location);
  if (!dry())
    dispatch(tensor.dtype(), [&]<class From>() {
      dispatch(dtype_, [&]<class To>() {
        copy(tensor.view<From>(), view_of(reinterpret_cast<To*>(data), tensor.shape()));
      });
    });
  return handle(records_.add_leaf(tensor.shape(), data, location));
}

Var Tape::constant(const Shape& shape, std::span<const float> values, SourceLocation location) {
  if (static_cast<Index>(values.size()) != shape.size())
    fail(
        "constant",
        fmt::format("{} numbers came for shape {}; needed {}", values.size(), to_string(shape), shape.size()),
        location);
  std::byte* data = storage_.leaf(shape, dtype_, "constant", location);
  if (!dry())
    dispatch(dtype_, [&]<class T>() {
      copy(view_of(values.data(), shape), view_of(reinterpret_cast<T*>(data), shape));
    });
  return handle(records_.add_leaf(shape, data, location));
}

Var Tape::full(const Shape& shape, double value, SourceLocation location) {
  const auto count = static_cast<std::size_t>(shape.size());
  std::byte* data = storage_.leaf(shape, dtype_, "full", location);
  if (!dry())
    dispatch(dtype_,
             [&]<class T>() { std::fill_n(reinterpret_cast<T*>(data), count, static_cast<T>(value)); });
  const std::uint32_t id = records_.add_leaf(shape, data, location);
  records_.values[id].zero = value == 0;
  return handle(id);
}

Var Tape::variable(const Tensor& tensor, SourceLocation location) {
  Var x = constant(tensor, location);
  records_.values[x.index_].wants_gradient = true;
  records_.buffers.back().keeps_gradient = true;
  return x;
}

Var Tape::snapshot(Var x, SourceLocation location) {
  const std::uint32_t id = check_values(x, "snapshot", location);
  const Shape shape = records_.values[id].shape;
  std::byte* data = storage_.leaf(shape, dtype_, "snapshot", location);
  if (!dry())
    dispatch(dtype_, [&]<class T>() {
      const View<const T> from{reinterpret_cast<const T*>(records_.values[id].data), shape,
                               records_.values[id].stride};
      copy(from, view_of(reinterpret_cast<T*>(data), shape));
    });
  records_.buffer(id).used = true;
  return handle(records_.add_leaf(shape, data, location, id));
}

Var Tape::borrow(std::byte* values, const Shape& shape, Index stride, SourceLocation location) {
  const std::uint32_t id = records_.add_leaf(shape, values, location);
  records_.values[id].stride = static_cast<std::int32_t>(stride);
  records_.buffers.back().bytes = records_.span(records_.values[id]);
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

Var Tape::borrow(std::byte* values, const Shape& shape, Index stride, std::byte* gradient,
                 SourceLocation location) {
  const Var x = borrow(values, shape, stride, location);
  records_.values[x.index_].wants_gradient = true;
  records_.buffers.back().keeps_gradient = true;
  records_.provenances.back().lent = gradient;
  return x;
}

namespace {
std::size_t hash_of(const Parameter::Leaf* leaf) {
  return std::hash<const void*>{}(leaf) / sizeof(Parameter::Leaf);
}
}  // namespace

// Those of passes before stay in the table until their places are needed: a training step counts no
// references.
Var Tape::parameter(const Parameter& parameter) {
  if (bound_.size() < 2 * (bound_count_ + 1)) {
    std::vector<Bound> old(std::max<std::size_t>(64, 2 * bound_.size()));
    old.swap(bound_);
    for (Bound& b : old)
      if (b.pass == pass_) {
        std::size_t i = hash_of(b.leaf.get()) & (bound_.size() - 1);
        while (bound_[i].pass == pass_) i = (i + 1) & (bound_.size() - 1);
        bound_[i] = std::move(b);
      }
  }
  const std::shared_ptr<Parameter::Leaf>& leaf = parameter.leaf();
  if (!leaf) fail("parameter", "a parameter came that was moved elsewhere; needed the one it was moved to");
  const std::size_t mask = bound_.size() - 1;
  std::size_t i = hash_of(leaf.get()) & mask;
  while (bound_[i].pass == pass_ && bound_[i].leaf != leaf) i = (i + 1) & mask;
  Bound& bound = bound_[i];
  const bool known = bound.pass == pass_;
  // A leaf of a Transient has gone with it.
  if (known && bound.value < records_.values.size() && records_.buffer(bound.value).value == bound.value &&
      records_.parameter(records_.buffer(bound.value)) == leaf.get())
    return handle(bound.value);

  std::uint32_t id;
  if (leaf->value.dtype() == dtype_) {
    id = records_.add_leaf(leaf->value.shape(), leaf->value.raw(), {});
  } else {
    id = constant(leaf->value, {}).index_;
  }
  records_.values[id].wants_gradient = leaf->trainable;
  records_.provenances.back().parameter = leaf.get();
  records_.provenances.back().version = leaf->version;
  if (bound.leaf != leaf) bound.leaf = leaf;
  bound.value = id;
  bound.pass = pass_;
  bound_count_ += !known;
  return handle(id);
}

}  // namespace unroll::autograd
