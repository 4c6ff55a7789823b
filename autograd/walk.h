// A walk back over a pass: from the last node to the first, each adding to the gradients of its inputs.
//
// The gradients of a walk over the whole pass lie beside the values, in their buffers (buffer.h). One over a
// few nodes, pull_back(), works on a copy of the buffers, and so leaves those alone. Memory for a gradient is
// taken from the pool when something is first added to it, and goes back when the walk has passed the node
// that made the values, unless a deferred product still reads it or the user wants to. Only the bytes `sums`
// of it are defined; the rest is zeroed when it is reached, so that the time steps of a long buffer are
// zeroed, if at all, just before they are used.
//
// The gradient of donated values (Tape::donate) lies in their place. Each element has one reader, so what is
// assigned there is what this reader has read before. Where zeros would be needed instead, whose readers may
// be still to come, the gradient moves out into memory of its own.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "autograd/memory/table.h"
#include "autograd/observer.h"
#include "autograd/records.h"
#include "autograd/var.h"

namespace unroll::autograd {

class Tape;
class Walk;

/// A product left' * right that the walk put off, to be added to the gradient of a value: Walk::defer.
struct DeferredPair {
  const std::byte *left, *right;
  Index rows, left_cols, right_cols, left_stride, right_stride;
  std::uint32_t pinned;  // buffer whose gradient `left` or `right` points into
  std::uint32_t next;    // in the list of that value, or kNone
};
/// Adds up the deferred products of a value.
using Flush = void (*)(Walk&, std::uint32_t id);

/// The derivative of the final result by `output`, of its shape: 1 if `values` is nullptr.
struct Seed {
  Var output;
  const std::byte* values;
  DType dtype;
};

class Walk {
 public:
  explicit Walk(Tape& tape) : tape_(tape) {}
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  ~Walk();

  /// Over the whole pass. `gradients` are cleared if it throws, unless the pass is a part of another, whose
  /// walk clears them.
  void run(std::span<const Seed> seeds, Gradients& gradients);
  /// Through nodes [begin, end) alone, to the derivatives by `inputs`; all else is a constant, parameters
  /// too. Observers are told of nothing, values and hooks are left alone.
  std::vector<Tensor> run(std::uint32_t begin, std::uint32_t end, std::span<const Seed> seeds,
                          std::span<const Var> inputs);
  /// Calls `hook` as soon as the gradient of value `id` is complete.
  void on_gradient(std::uint32_t id, std::function<void(const Tensor&)> hook) {
    hooks_.push_back({id, kNone, std::move(hook)});
  }
  /// Forgets gradients and hooks: the pass has ended.
  void clear();

  // -- For ops (op.h).

  /// Where the gradient of a value lies that the walk has reached.
  std::byte* reached_gradient(const Value& v) const {
    return at(v.buffer).memory + (v.data - buffers_[v.buffer].data);
  }
  Tape& tape() const { return tape_; }
  DType dtype() const { return dtype_; }
  bool dry() const { return dry_; }
  /// Whether it goes over a few nodes alone.
  bool partial() const { return partial_; }
  bool wants(const Value& v) const { return partial_ ? wanted_[v.buffer] : v.wants_gradient; }
  /// Where the gradient of a value is to be added: see Into.
  std::byte* gradient_memory(std::uint32_t id, bool& fresh);
  /// The same for several values, bit i of `wanted` for ids[i]; returns the bits of those that are fresh.
  /// Blocks of columns that follow each other and together fill rows are fresh together. What is in `summed`,
  /// or shares memory in another way, is zeroed where it would be fresh.
  unsigned gradient_memory(std::span<const std::uint32_t> ids, unsigned wanted, unsigned summed,
                           std::byte** memory);
  /// What backward of most nodes takes: the gradient memory of each wanted input.
  void take_gradients(const Node& node);
  /// Where single rows of a whole parameter's gradient are added; nullptr if `id` is none.
  Gradients::Entry* sparse_entry(std::uint32_t id);
  /// A product to be filled in, for the gradient of a value; buffer `pinned` keeps its gradient until then.
  DeferredPair& defer(std::uint32_t id, std::uint32_t pinned, Flush flush);
  /// How many nodes to come may defer a product for a value.
  std::uint32_t pending(std::uint32_t id) const;
  /// What it adds to, all that has come so far being complete, so that the walk over a part of the pass may
  /// add to it.
  Gradients& sums();

  // -- For observers and tests.

  /// Of a walk that runs; nullptr outside of one.
  const Gradients* gradients() const { return gradients_; }
  const Gradient& gradient(std::uint32_t buffer) const;
  /// Where the gradient of a value lies inside that of its buffer; nullptr if it has none.
  std::byte* gradient_of(const Value& v) const;
  /// A copy of it; zero where nothing was added.
  Tensor gradient_tensor(std::uint32_t id);
  /// The first deferred product of a value, or kNone.
  std::uint32_t first_pair(std::uint32_t id) const;
  const DeferredPair& pair(std::uint32_t index) const { return pairs_[index]; }

 private:
  static constexpr std::uint32_t kNoNode = kNone - 1;
  struct Hook {
    std::uint32_t value;
    std::uint32_t node;  // that made it, as the walk begins; kNone for a leaf
    std::function<void(const Tensor&)> call;
  };
  // The deferred products of an operand.
  struct Deferred {
    std::uint32_t pending, first, last;
  };

  void start();
  void find_records();
  void take_lent();
  void add_seed(const Seed& seed);
  void take_node(std::uint32_t index);
  void settle(std::uint32_t node);
  Gradient& with_gradient(std::uint32_t buffer);
  [[gnu::noinline]] void begin_gradient(Gradient& gradient, Buffer& buffer);
  [[gnu::noinline]] void begin_parameter(Gradient& gradient, const Buffer& buffer,
                                         const Parameter::Leaf& parameter);
  void move_out(Gradient& gradient, Buffer& buffer);
  bool claim(std::uint32_t buffer, ByteRange range);
  void complete(std::uint32_t buffer, ByteRange range);
  void release(std::uint32_t buffer);
  bool reached(const Value& output) const;
  Deferred& deferred(std::uint32_t id);
  template <class F>
  void told(std::uint32_t node, Phase phase, F f);
  void sort_hooks();
  [[gnu::noinline]] void call_hooks(std::uint32_t node);

  // The bytes of its buffer that a value spans.
  ByteRange range(const Value& v) const;

  Gradient& at(std::uint32_t buffer) const { return buffers_[buffer].gradient; }

  Tape& tape_;
  // The tables of the pass, which stay where they are while a walk runs, or own_.
  const Value* values_ = nullptr;
  Buffer* buffers_ = nullptr;
  const Node* nodes_ = nullptr;
  Observers* observers_ = nullptr;
  Index scalar_ = 0;  // bytes of an element
  DType dtype_{};
  bool dry_ = false;
  Gradients* gradients_ = nullptr;  // of the walk that runs
  bool partial_ = false;
  bool may_overwrite_ = false;
  Flush flush_ = nullptr;
  Table<Buffer> own_;         // of a partial one
  Table<Deferred> deferred_;  // by operand
  Table<DeferredPair> pairs_;
  std::vector<std::uint32_t> parameters_;  // buffers whose gradient lies in gradients_
  std::vector<bool> wanted_;               // by buffer, of a partial one
  std::vector<Hook> hooks_;
  std::size_t next_hook_ = 0;       // in the order of the walk, once that has begun
  std::uint32_t hooked_ = kNoNode;  // the node of that one
};

}  // namespace unroll::autograd
