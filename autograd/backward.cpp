// The walk back: from the last node to the first, each adding to the gradients of its inputs.
//
// A root's gradient is taken from the pool when something is first added to it, and goes back when the walk
// has passed the root's node, unless a deferred product still reads it ("pins") or the user wants to. Only
// the range [valid_begin, valid_end) of it is defined; the rest is zeroed when it is reached, so that the
// time steps of a long buffer are zeroed, if at all, just before they are used.
//
// The gradient of released numbers (Tape::release_numbers) lies in their place. Each element has one user, so
// what is assigned there is what this user has read before. Where zeros would be needed instead, whose users
// may be still to come, the gradient moves out into memory of its own.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "autograd/op.h"

namespace unroll::autograd {

// -- Gradient memory.

void Tape::complete(Root& root, Index begin, Index end) {
  auto zero = [&](Index from, Index to) {
    if (root.gradient == root.data && !root.done && from < to) move_out(root);
    if (dry_) return;
    std::memset(root.gradient + from, 0, static_cast<std::size_t>(to - from));
  };
  if (begin >= end || (begin >= root.valid_begin && end <= root.valid_end)) return;
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

Root& Tape::with_gradient(std::uint32_t id) {
  Root& root = roots_[id];
  if (root.gradient) return root;
  root.valid_begin = root.valid_end = 0;
  if (!root.parameter) {
    root.overwritten =
        root.released && !root.keeps_gradient && !keeps_numbers_ && !observers_->read_numbers();
    root.gradient = root.overwritten ? root.data : pool_.take(static_cast<std::size_t>(root.bytes));
    return root;
  }
  Gradients::Entry& entry = gradients_->of(*root.parameter, dtype_);
  const bool undefined = entry.touch_all();
  root.gradient = entry.buffer().raw();
  if (!undefined) root.valid_end = root.bytes;
  if (undefined && poisoned_) std::memset(root.gradient, 0xFF, entry.buffer().bytes());
  return root;
}

void Tape::move_out(Root& root) {
  root.gradient = pool_.take(static_cast<std::size_t>(root.bytes));
  if (root.valid_begin == root.valid_end) root.overwritten = false;
  if (dry_) return;
  std::memcpy(root.gradient + root.valid_begin, root.data + root.valid_begin,
              static_cast<std::size_t>(root.valid_end - root.valid_begin));
}

// Takes a range in which nothing has been added yet; the caller will assign all of it.
bool Tape::claim(Root& root, Index begin, Index end) {
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
  Root& root = with_gradient(v.root);
  const Index begin = begin_of(v), end = end_of(v);
  fresh = (v.stride == v.shape.cols() || v.shape.rows() == 1) && claim(root, begin, end);
  if (!fresh) complete(root, begin, end);
  return root.gradient + begin;
}

// Flattened, as Tape::begin_node is.
[[gnu::flatten]] unsigned Tape::gradient_memory(std::span<const std::uint32_t> ids, unsigned wanted,
                                                unsigned summed, std::byte** memory) {
  const Index scalar = static_cast<Index>(size_of(dtype_));
  unsigned fresh = 0, seen = 0;  // inputs whose root a run before had
  for (unsigned rest = wanted; rest != 0;) {
    // A run of inputs side by side.
    const auto first = static_cast<std::size_t>(std::countr_zero(rest));
    const Value& one = values_[ids[first]];
    const Index rows = one.shape.rows(), stride = one.stride;
    Root& root = with_gradient(one.root);
    const std::byte* end = one.data;
    unsigned run = 0;
    std::byte* const gradient = root.gradient;
    for (std::size_t i = first; i < ids.size() && (rest >> i & 1); ++i) {
      const Value& v = values_[ids[i]];
      if (v.data != end || v.root != one.root || v.stride != stride || v.shape.rows() != rows) break;
      memory[i] = gradient + (v.data - root.data);
      end += v.shape.cols() * scalar;
      run |= 1u << i;
    }
    rest &= ~run;
    for (unsigned others = rest & ~seen; others != 0; others &= others - 1)
      if (const unsigned i = others & -others;
          values_[ids[static_cast<std::size_t>(std::countr_zero(i))]].root == one.root)
        seen |= i | run;
    const Index begin = one.data - root.data, width = end - one.data;
    const Index last = width == 0 || rows == 0 ? begin : begin + (rows - 1) * stride * scalar + width;
    const bool whole = (width == stride * scalar || rows == 1) && !(run & (summed | seen));
    if (whole && claim(root, begin, last))
      fresh |= run;
    else
      complete(root, begin, last);
    if (root.gradient != gradient) [[unlikely]]  // it has moved out
      for (std::size_t i = first; i < ids.size() && (run >> i & 1); ++i)
        memory[i] = root.gradient + (values_[ids[i]].data - root.data);
  }
  return fresh;
}

void Tape::take_gradients(const Node& node) {
  bool fresh = false;
  for (std::uint32_t i = 0; i < node.input_count; ++i)
    if (values_[node.inputs[i]].wants_gradient) (void)gradient_memory(node.inputs[i], fresh);
}

Gradients::Entry* Tape::sparse_entry(std::uint32_t id) {
  Root& root = roots_[values_[id].root];
  if (!root.parameter || values_[id].view) return nullptr;
  if (root.gradient) complete(root, 0, root.bytes);
  return &gradients_->of(*root.parameter, dtype_);
}

void Tape::release(Root& root) {
  root.done = true;
  if (!root.gradient || root.gradient == root.data) return;
  if (root.pins > 0 || root.keeps_gradient || root.parameter) return;
  pool_.give(root.gradient, static_cast<std::size_t>(root.bytes));
  root.gradient = nullptr;
}

bool Tape::reached(const Value& output) const {
  const Root& root = roots_[output.root];
  if (!root.gradient) return false;
  return begin_of(output) < root.valid_end && end_of(output) > root.valid_begin;
}

// -- Deferred products.

DeferredPair& Tape::defer(std::uint32_t id, std::uint32_t pinned, void (*flush)(Tape&, std::uint32_t)) {
  const auto index = static_cast<std::uint32_t>(pairs_.size());
  Operand& factor = operand(id);
  (factor.first_pair == kNone ? factor.first_pair : pairs_[factor.last_pair].next) = index;
  factor.last_pair = index;
  ++roots_[pinned].pins;
  flush_ = flush;
  DeferredPair& pair = pairs_.add();
  pair.pinned = pinned;
  pair.next = kNone;
  return pair;
}

void Tape::settle(std::uint32_t node) {
  const std::uint32_t id = nodes_[node].inputs[nodes_[node].deferred];
  if (--operand(id).pending > 0 || operand(id).first_pair == kNone) return;
  run(node, Phase::deferred, [&] { flush_(*this, id); });
  for (std::uint32_t p = operand(id).first_pair; p != kNone; p = pairs_[p].next) {
    Root& root = roots_[pairs_[p].pinned];
    if (--root.pins == 0 && root.done) release(root);
  }
  operand(id).first_pair = kNone;
}

// -- Passes within this one.

Tape& Tape::inner(const Node& node) {
  if (!inner_) inner_ = std::make_unique<Tape>(dtype_, dry_ ? Dry::yes : Dry::no);
  inner_->is_part_ = true;
  inner_->scopes_ = scopes_;
  inner_->scope_ = static_cast<std::int32_t>(node.scope);
  inner_->poison(poisoned_);
  inner_->keeps_numbers_ = keeps_numbers_;
  inner_->observers_ = observers_;
  return *inner_;
}

Gradients& Tape::running_gradients() {
  for (const Bound& b : bound_)
    if (lives(b))
      if (Root& root = roots_[values_[b.value].root]; root.gradient) complete(root, 0, root.bytes);
  return *gradients_;
}

std::size_t Tape::new_parts(std::size_t count) {
  const std::size_t first = parts_in_use_, end = first + count;
  while (parts_.size() < end)
    parts_.emplace_back(std::make_unique<Tape>(dtype_, dry_ ? Dry::yes : Dry::no))->is_part_ = true;
  for (std::size_t i = first; i < end; ++i) {
    Tape& part = *parts_[i];
    part.observers_ = observers_;
    part.scopes_ = attended() ? scopes_ : &part.own_scopes_;
    part.scope_ =
        attended() ? scope_ : static_cast<std::int32_t>(part.own_scopes_.enter(*scopes_, current_scope()));
    part.poison(poisoned_);
    part.truncation_ = truncation_;
    part.keeps_numbers_ = keeps_numbers_;
  }
  if (records_gradients()) parts_in_use_ = end;
  return first;
}

// -- The walk.

void Tape::backward(Var loss, Gradients& gradients, SourceLocation location) {
  const Shape& shape = values_[check(loss, "backward", location)].shape;
  if (shape.size() != 1)
    fail("backward",
         fmt::format(
             "a value of shape {} came; needed one element: reduce it with sum() or mean(), or give a seed",
             to_string(shape)),
         location);
  run_backward(loss, nullptr, gradients, location);
}

void Tape::backward(Var output, const Tensor& seed, Gradients& gradients, SourceLocation location) {
  const Shape& shape = values_[check(output, "backward", location)].shape;
  if (seed.shape() != shape)
    fail("backward",
         fmt::format("a seed of shape {} came for a value of shape {}; needed the same shape",
                     to_string(seed.shape()), to_string(shape)),
         location);
  run_backward(output, &seed, gradients, location);
}

// Without a seed, 1.
void Tape::add_seed(std::uint32_t id, const Tensor* seed) {
  bool fresh = false;
  std::byte* memory = gradient_memory(id, fresh);
  const Value& v = values_[id];
  if (dry_) return;
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
}

void Tape::run_backward(Var output, const Tensor* seed, Gradients& gradients, SourceLocation location) {
  const std::uint32_t id = check(output, "backward", location);
  if (consumed())
    fail("backward",
         fmt::format(
             "this tape was consumed by backward at {}:{}; needed a new pass: call clear() and compute the "
             "loss again, carrying state across passes by its numbers (tensor() and constant())",
             consumed_.file, consumed_.line),
         location);
  if (!values_[id].wants_gradient)
    fail("backward",
         "a value came that depends on no trainable parameter and no variable; needed one that does",
         location);
  consumed_ = location.line > 0 ? location : SourceLocation{"unknown", 1};
  struct Running {
    Gradients*& slot;
    bool is_part;  // others add to them right now; who is around clears them
    bool done = false;
    ~Running() {
      if (!done && !is_part) slot->clear();
      slot = nullptr;
    }
  } running{gradients_, is_part_};
  gradients_ = &gradients;

  sort_hooks();
  add_seed(id, seed);
  for (auto n = static_cast<std::uint32_t>(nodes_.size()); n-- > 0;) backward_node(n);
  (void)running_gradients();
  call_hooks(kNone);
  running.done = true;
}

[[gnu::flatten]] void Tape::backward_node(std::uint32_t index) {
  const Node& node = nodes_[index];
  bool any = false;
  if (node.wants_gradient)
    for (std::uint32_t o = 0; o < node.output_count; ++o)
      any = any || reached(values_[node.first_output + o]);
  for (std::uint32_t o = 0; any && o < node.output_count; ++o) {
    const Value& output = values_[node.first_output + o];
    Root& root = with_gradient(output.root);
    root.done = values_[root.value].node == index;
    complete(root, begin_of(output), end_of(output));
  }
  call_hooks(index);
  if (any) run(index, Phase::backward, [&] { node.table->backward(*this, node); });
  if (node.deferred >= 0) settle(index);
  for (std::uint32_t o = 0; o < node.output_count; ++o)
    if (Root& root = roots_[values_[node.first_output + o].root]; values_[root.value].node == index)
      release(root);
}

// -- What users read.

namespace {
[[noreturn]] void reject_parameter(std::string_view op, SourceLocation location) {
  fail(op, "a parameter came; its gradient is summed over passes: read it from the Gradients after backward",
       location);
}
}  // namespace

void Tape::keep_gradient(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "keep_gradient", location);
  if (consumed()) fail("keep_gradient", "backward has already run; call it before backward", location);
  if (!values_[id].wants_gradient)
    fail("keep_gradient", "a value came that depends on no trainable parameter and no variable", location);
  Root& root = roots_[values_[id].root];
  if (root.parameter) reject_parameter("keep_gradient", location);
  root.keeps_gradient = true;
}

void Tape::on_gradient(Var x, std::function<void(const Tensor&)> hook, SourceLocation location) {
  keep_gradient(x, location);
  hooks_.push_back({x.index_, kNone, std::move(hook)});
}

// Into the order in which backward comes by: the last node first, leaves at the end.
void Tape::sort_hooks() {
  for (Hook& hook : hooks_) hook.node = values_[hook.value].node;
  std::ranges::stable_sort(hooks_, std::greater(), [](const Hook& h) { return h.node + 1; });
}

// A value that was joined from pieces is complete at its first node, which may have got no gradient itself.
void Tape::call_hooks(std::uint32_t node) {
  for (; next_hook_ < hooks_.size() && hooks_[next_hook_].node == node; ++next_hook_) {
    const Hook& hook = hooks_[next_hook_];
    if (!dry_ && (node == kNone || reached(values_[hook.value]))) hook.call(gradient_tensor(hook.value));
  }
}

Tensor Tape::gradient_tensor(std::uint32_t id) {
  const Value& v = values_[id];
  Tensor result(v.shape, dtype_);
  if (!reached(v)) return result;
  complete(roots_[v.root], begin_of(v), end_of(v));
  dispatch(dtype_, [&]<class T>() {
    copy(View<const T>{reinterpret_cast<const T*>(gradient_of(v)), v.shape, v.stride}, result.view<T>());
  });
  return result;
}

Tensor Tape::gradient(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "gradient", location);
  if (!consumed()) fail("gradient", "no backward has run on this tape; call backward first", location);
  if (dry_) fail("gradient", "a value of a dry tape came; needed one of a tape that computes", location);
  const Root& root = roots_[values_[id].root];
  if (root.parameter) reject_parameter("gradient", location);
  if (!root.keeps_gradient)
    fail("gradient",
         "the gradient of this value was not kept; make it a variable(), or call keep_gradient() before "
         "backward",
         location);
  return gradient_tensor(id);
}

}  // namespace unroll::autograd
