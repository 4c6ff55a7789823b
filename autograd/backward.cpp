// The walk back: from the last node to the first, each adding to the gradients of its inputs.
//
// A root's gradient is taken from the pool when something is first added to it, and goes back when the walk
// has passed the root's node, unless a deferred product still reads it ("pins") or the user wants to. Only
// the range [valid_begin, valid_end) of it is defined; the rest is zeroed when it is reached, so that the
// time steps of a long buffer are zeroed, if at all, just before they are used.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "autograd/tape.h"

namespace unroll::autograd {

namespace {
struct Range {
  Index begin, end;
};

// The elements of its root that a value spans; with gaps, if it is a slice of columns.
Range range_of(const Value& v) {
  const Index rows = v.shape.rows(), cols = v.shape.cols();
  return {v.offset, rows == 0 || cols == 0 ? v.offset : v.offset + (rows - 1) * v.stride + cols};
}
bool contiguous(const Value& v) { return v.stride == v.shape.cols() || v.shape.rows() <= 1; }
}  // namespace

// -- Gradient memory.

void Tape::complete(Value& root, Index begin, Index end) {
  const Index scalar = static_cast<Index>(size_of(dtype_));
  auto zero = [&](Index from, Index to) {
    std::memset(root.gradient + from * scalar, 0, static_cast<std::size_t>((to - from) * scalar));
  };
  if (begin >= end) return;
  if (root.valid_begin == root.valid_end) {
    zero(begin, end);
    root.valid_begin = begin;
    root.valid_end = end;
    return;
  }
  if (begin < root.valid_begin) {
    zero(begin, root.valid_begin);
    root.valid_begin = begin;
  }
  if (end > root.valid_end) {
    zero(root.valid_end, end);
    root.valid_end = end;
  }
}

void Tape::complete_gradient(std::uint32_t id) {
  Value& root = values_[values_[id].root];
  if (!root.gradient) allocate_gradient(values_[id].root);
  const auto [begin, end] = range_of(values_[id]);
  complete(root, begin, end);
}

void Tape::allocate_gradient(std::uint32_t id) {
  Value& root = values_[id];
  if (root.gradient) return;
  root.valid_begin = root.valid_end = 0;
  if (!root.parameter) {
    root.gradient = pool_.take(static_cast<std::size_t>(root.shape.size()) * size_of(dtype_));
    return;
  }
  Gradients::Entry& entry = gradients_->of(*root.parameter, dtype_);
  const bool undefined = entry.touch_all();
  root.gradient = entry.buffer().raw();
  if (!undefined) root.valid_end = root.shape.size();
  if (undefined && poisoned_) std::memset(root.gradient, 0xFF, entry.buffer().bytes());
}

// Takes a range in which nothing has been added yet; the caller will assign all of it.
bool Tape::claim(Value& root, Index begin, Index end) {
  if (begin >= end) return false;
  if (root.valid_begin == root.valid_end) {
    root.valid_begin = begin;
    root.valid_end = end;
  } else if (begin >= root.valid_end) {
    complete(root, root.valid_begin, begin);
    root.valid_end = end;
  } else if (end <= root.valid_begin) {
    complete(root, end, root.valid_end);
    root.valid_begin = begin;
  } else {
    return false;
  }
  return true;
}

std::byte* Tape::gradient_memory(std::uint32_t id, bool& fresh) {
  const Value& v = values_[id];
  allocate_gradient(v.root);
  Value& root = values_[v.root];
  const auto [begin, end] = range_of(v);
  fresh = contiguous(v) && claim(root, begin, end);
  if (!fresh) complete(root, begin, end);
  return root.gradient + v.offset * static_cast<Index>(size_of(dtype_));
}

unsigned Tape::gradient_memory(std::span<const std::uint32_t> ids, unsigned wanted, unsigned summed,
                               std::byte** memory) {
  unsigned fresh = 0;
  for (unsigned rest = wanted; rest != 0;) {
    const auto first = static_cast<std::size_t>(std::countr_zero(rest));
    const std::uint32_t id = values_[ids[first]].root;
    allocate_gradient(id);
    Value& root = values_[id];

    // All that lies in this root: do they fill a range of it, each element once?
    unsigned group = 0;
    Index begin = root.shape.size(), filled = 0;
    bool aligned = true;
    Index end = 0;
    const Value& one = values_[ids[first]];
    for (std::size_t i = first; i < ids.size(); ++i) {
      const Value& v = values_[ids[i]];
      if (!(rest >> i & 1) || v.root != id) continue;
      group |= 1u << i;
      const Range range = range_of(v);
      begin = std::min(begin, range.begin);
      end = std::max(end, range.end);
      filled += v.shape.size();
      aligned = aligned && v.stride == one.stride && v.shape.rows() == one.shape.rows();
      memory[i] = root.gradient + v.offset * static_cast<Index>(size_of(dtype_));
    }
    rest &= ~group;
    bool whole = !(group & summed) && filled == end - begin;
    if (whole && std::popcount(group) > 1) whole = aligned && side_by_side(ids, group, begin);
    if (whole && claim(root, begin, end))
      fresh |= group;
    else
      complete(root, begin, end);
  }
  return fresh;
}

// Whether values of as many rows and the same stride are blocks of columns, one after the other.
bool Tape::side_by_side(std::span<const std::uint32_t> ids, unsigned group, Index begin) const {
  Index next = begin;
  for (unsigned left = group; left != 0;) {
    unsigned found = 0;
    for (unsigned rest = left; rest != 0 && !found; rest &= rest - 1)
      if (values_[ids[static_cast<std::size_t>(std::countr_zero(rest))]].offset == next) found = rest & -rest;
    if (!found) return false;
    next += values_[ids[static_cast<std::size_t>(std::countr_zero(found))]].shape.cols();
    left &= ~found;
  }
  return true;
}

Gradients::Entry* Tape::sparse_entry(std::uint32_t id) {
  Value& v = values_[id];
  if (!v.parameter) return nullptr;
  if (v.gradient) complete(v, 0, v.shape.size());
  return &gradients_->of(*v.parameter, dtype_);
}

void Tape::release(std::uint32_t id) {
  Value& root = values_[id];
  root.done = true;
  if (!root.gradient || root.pins > 0 || root.keeps_gradient || root.parameter) return;
  pool_.give(root.gradient, static_cast<std::size_t>(root.shape.size()) * size_of(dtype_));
  root.gradient = nullptr;
}

bool Tape::reached(const Value& output) const {
  const Value& root = values_[output.root];
  const auto [begin, end] = range_of(output);
  return root.gradient && begin < root.valid_end && end > root.valid_begin;
}

// -- Deferred products.

void Tape::defer(std::uint32_t id, DeferredPair pair, void (*flush)(Tape&, std::uint32_t)) {
  const auto index = static_cast<std::uint32_t>(pairs_.size());
  pair.next = kNone;
  Value& v = values_[id];
  (v.first_pair == kNone ? v.first_pair : pairs_[v.last_pair].next) = index;
  v.last_pair = index;
  ++values_[pair.pinned].pins;
  pairs_.push_back(pair);
  flush_ = flush;
}

void Tape::settle(std::uint32_t node) {
  const std::uint32_t id = nodes_[node].inputs[nodes_[node].deferred];
  if (--values_[id].pending > 0 || values_[id].first_pair == kNone) return;
  run(node, Phase::deferred, [&] { flush_(*this, id); });
  for (std::uint32_t p = values_[id].first_pair; p != kNone; p = pairs_[p].next) {
    const std::uint32_t root = pairs_[p].pinned;
    if (--values_[root].pins == 0 && values_[root].done) release(root);
  }
  values_[id].first_pair = kNone;
}

// -- Passes within this one.

Tape& Tape::inner() {
  if (!inner_) inner_ = std::make_unique<Tape>(dtype_);
  inner_->poison(poisoned_);
  inner_->observers_ = observers_;
  return *inner_;
}

Gradients& Tape::running_gradients() {
  for (const Bound& b : bound_)
    if (lives(b) && values_[b.value].gradient) complete(values_[b.value], 0, values_[b.value].shape.size());
  return *gradients_;
}

// -- The walk.

void Tape::backward(Var loss, Gradients& gradients, Where where) {
  const Shape& shape = values_[check(loss, "backward", where)].shape;
  if (shape.size() != 1)
    fail("backward",
         fmt::format(
             "a value of shape {} came; needed one element: reduce it with sum() or mean(), or give a seed",
             to_string(shape)),
         where);
  run_backward(loss, nullptr, gradients, where);
}

void Tape::backward(Var output, const Tensor& seed, Gradients& gradients, Where where) {
  const Shape& shape = values_[check(output, "backward", where)].shape;
  if (seed.shape() != shape)
    fail("backward",
         fmt::format("a seed of shape {} came for a value of shape {}; needed the same shape",
                     to_string(seed.shape()), to_string(shape)),
         where);
  run_backward(output, &seed, gradients, where);
}

void Tape::run_backward(Var output, const Tensor* seed, Gradients& gradients, Where where) {
  const std::uint32_t id = check(output, "backward", where);
  if (consumed())
    fail("backward",
         fmt::format(
             "this tape was consumed by backward at {}:{}; needed a new pass: call clear() and compute the "
             "loss again, carrying state across passes by its numbers (tensor() and constant())",
             consumed_.file, consumed_.line),
         where);
  if (!values_[id].wants_gradient)
    fail("backward",
         "a value came that depends on no trainable parameter and no variable; needed one that does", where);
  consumed_ = where.line > 0 ? where : Where{"unknown", 1};
  struct Running {
    Gradients*& slot;
    bool done = false;
    ~Running() {
      if (!done) slot->clear();
      slot = nullptr;
    }
  } running{gradients_};
  gradients_ = &gradients;

  bool fresh = false;
  std::byte* memory = gradient_memory(id, fresh);
  const Value& v = values_[id];
  dispatch(dtype_, [&]<class T>() {
    const View<T> target{reinterpret_cast<T*>(memory), v.shape, v.stride};
    if (!seed) {
      target(0, 0) = (fresh ? T(0) : target(0, 0)) + T(1);
      return;
    }
    dispatch(seed->dtype(), [&]<class S>() {
      const View<const S> from = seed->view<S>();
      if (fresh) return copy(from, target);
      for (Index r = 0; r < target.rows(); ++r)
        for (Index c = 0; c < target.cols(); ++c)
          target(r, c) += static_cast<T>(from.data[r * target.cols() + c]);
    });
  });
  for (auto n = static_cast<std::uint32_t>(nodes_.size()); n-- > 0;) backward_node(n);
  (void)running_gradients();
  call_hooks(kNone);
  running.done = true;
}

void Tape::backward_node(std::uint32_t index) {
  const Node& node = nodes_[index];
  bool any = false;
  if (node.wants_gradient)
    for (std::uint32_t o = 0; o < node.output_count; ++o)
      any = any || reached(values_[node.first_output + o]);
  if (any) {
    for (std::uint32_t o = 0; o < node.output_count; ++o) complete_gradient(node.first_output + o);
    if (node.hooked) call_hooks(index);
    run(index, Phase::backward, [&] { node.table->backward(*this, node); });
  }
  if (node.deferred >= 0) settle(index);
  for (std::uint32_t o = 0; o < node.output_count; ++o)
    if (const std::uint32_t root = values_[node.first_output + o].root; values_[root].node == index)
      release(root);
}

// -- What users read.

namespace {
[[noreturn]] void reject_parameter(std::string_view op, Where where) {
  fail(op, "a parameter came; its gradient is summed over passes: read it from the Gradients after backward",
       where);
}
}  // namespace

void Tape::keep_gradient(Var x, Where where) {
  const std::uint32_t id = check(x, "keep_gradient", where);
  if (consumed()) fail("keep_gradient", "backward has already run; call it before backward", where);
  if (!values_[id].wants_gradient)
    fail("keep_gradient", "a value came that depends on no trainable parameter and no variable", where);
  if (values_[values_[id].root].parameter) reject_parameter("keep_gradient", where);
  values_[values_[id].root].keeps_gradient = true;
}

void Tape::on_gradient(Var x, std::function<void(const Tensor&)> hook, Where where) {
  keep_gradient(x, where);
  const std::uint32_t id = check(x, "on_gradient", where);
  if (values_[id].node != kNone) nodes_[values_[id].node].hooked = true;
  hooks_.push_back({x, std::move(hook)});
}

void Tape::call_hooks(std::uint32_t node) {
  for (std::size_t i = 0; i < hooks_.size(); ++i)
    if (values_[hooks_[i].var.index_].node == node) hooks_[i].call(gradient_tensor(hooks_[i].var.index_));
}

Tensor Tape::gradient_tensor(std::uint32_t id) {
  const Value& v = values_[id];
  Tensor result(v.shape, dtype_);
  if (!reached(v)) return result;
  const auto [begin, end] = range_of(v);
  complete(values_[v.root], begin, end);
  dispatch(dtype_, [&]<class T>() {
    const T* gradient = reinterpret_cast<const T*>(values_[v.root].gradient) + v.offset;
    copy(View<const T>{gradient, v.shape, v.stride}, result.view<T>());
  });
  return result;
}

Tensor Tape::gradient(Var x, Where where) {
  const std::uint32_t id = check(x, "gradient", where);
  if (!consumed()) fail("gradient", "no backward has run on this tape; call backward first", where);
  const Value& root = values_[values_[id].root];
  if (root.parameter) reject_parameter("gradient", where);
  if (!root.keeps_gradient)
    fail("gradient",
         "the gradient of this value was not kept; make it a variable(), or call keep_gradient() before "
         "backward",
         where);
  return gradient_tensor(id);
}

}  // namespace unroll::autograd
