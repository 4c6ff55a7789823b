// The tape: what was computed in one pass, and the walk back over it.
//
// A pass is a few tables of records (records.h) and an arena. A Value is a place in memory with a shape; a
// Node is one application of an op, from input values to output values. A Root is a piece of memory that came
// with a value. A view (rows, columns, a reshape) is another value inside it, without a node: its gradient
// lies at the same place inside the root's gradient, so that slicing costs nothing in either direction.
//
// record() appends a node and computes it (op.h). backward() walks the nodes from last to first
// (backward.cpp); gradient memory is given out when first written and goes back to a pool when its root's
// node is done.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/memory/arena.h"
#include "autograd/memory/pool.h"
#include "autograd/memory/table.h"
#include "autograd/observer.h"
#include "autograd/parameter.h"
#include "autograd/records.h"
#include "autograd/scopes.h"
#include "autograd/var.h"

namespace unroll::autograd {

class ThreadPool;

class Tape {
 public:
  explicit Tape(DType dtype = DType::f32, Dry dry = Dry::no)
      : dtype_(dtype), dry_(dry == Dry::yes), arena_(dry), lasting_(dry) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  DType dtype() const { return dtype_; }
  /// A dry tape records and walks back as always, and takes the same memory to the byte, but computes nothing
  /// and touches none of it: what a pass will take can be known without room for it. item() and tensor() give
  /// zeros, view() and gradient() throw Error, hooks are not called.
  bool dry() const { return dry_; }

  // -- Leaves. Tensors are copied, and converted to the tape's dtype.

  Var constant(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  Var constant(const Shape& shape, std::span<const float> values,
               SourceLocation location = SourceLocation::current());
  Var full(const Shape& shape, double value, SourceLocation location = SourceLocation::current());
  Var zeros(const Shape& shape, SourceLocation location = SourceLocation::current()) {
    return full(shape, 0, location);
  }
  /// A leaf whose gradient can be read after backward.
  Var variable(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  /// The parameter's value in this pass, the same handle each time.
  Var parameter(const Parameter& parameter);
  /// The numbers of x as they are now, in memory of their own, through which no gradient flows.
  Var snapshot(Var x, SourceLocation location = SourceLocation::current());
  /// A leaf on numbers of this dtype that somebody else keeps until clear(): no copy, no gradient.
  Var borrow(std::byte* numbers, const Shape& shape, Index stride,
             SourceLocation location = SourceLocation::current());
  /// The same of a tensor, which must be of the tape's dtype.
  Var borrow(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  Var borrow(Tensor&& tensor, SourceLocation location = SourceLocation::current()) =
      delete;  // it would be gone before clear()
  /// The same with a gradient, in memory that lies like the numbers and holds a sum that is added to; or in
  /// the tape's own if that is nullptr.
  Var borrow(std::byte* numbers, const Shape& shape, Index stride, std::byte* gradient,
             SourceLocation location = SourceLocation::current());

  // -- Views: no copy, no node.

  /// Rows [begin, begin + count) of the first axis.
  Var rows(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current());
  /// Columns [begin, begin + count) of the last axis.
  Var columns(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current());
  /// As many equal blocks of columns as there are `parts`.
  void split(Var x, std::span<Var> parts, SourceLocation location = SourceLocation::current());
  /// The same elements under another shape. Needs contiguous memory, or the same number of columns.
  Var reshape(Var x, const Shape& shape, SourceLocation location = SourceLocation::current());
  /// The same numbers, through which no gradient flows.
  Var stop_gradient(Var x, SourceLocation location = SourceLocation::current());
  /// Gives the memory of `x` away to ops that overwrite it with sums that begin with it (Op::aliased).
  /// Returns the handle through which that may happen, each element at most once; other uses of x throw Error
  /// from then on. Returns an empty handle where it would be unsafe: something has read x or will need its
  /// numbers. Does what release_numbers() does, too.
  Var open(Var x, SourceLocation location = SourceLocation::current());
  /// Says that the numbers of `x` are needed no longer than for backward: there its gradient may take their
  /// place, so that both take the memory of one. It does where each element is an input of one node at most,
  /// whose op reads it first (op.h); where keep_gradient() was not called for x, nothing had used it before
  /// this, and no observer reads numbers. Reading them after backward throws Error then. Returns x.
  Var release_numbers(Var x, SourceLocation location = SourceLocation::current());
  /// From now on, for this tape: numbers stay readable after backward, whatever was released.
  void keep_numbers(bool on) { keeps_numbers_ = on; }
  /// A value to move others into; its numbers are undefined where there are none.
  Var reserve(const Shape& shape, SourceLocation location = SourceLocation::current());
  /// Moves the numbers of `piece` into rows of a reserved value, from `row` on. It lives on there as a view,
  /// so its gradient is a part of that of `whole`, by whatever way it comes; the memory that it had is used
  /// again. Returns false, and does nothing, where that cannot be: the piece is a view or a leaf, or does not
  /// fit.
  bool move_in(Var piece, Var whole, Index row, SourceLocation location = SourceLocation::current());
  /// Whether move_in() can move `piece`, if it fits.
  bool can_move(Var piece) const {
    const Value& v = values_[piece.index_];
    return !v.view && v.node != kNone && v.shape.rank() == 2;
  }

  // -- Recording, for ops (op.h).

  template <class O>
  Var record(const O& op, std::initializer_list<Var> inputs, SourceLocation location) {
    return record(op, std::span(inputs.begin(), inputs.size()), location)[0];
  }
  template <class O>
  std::array<Var, O::outputs> record(const O& op, std::span<const Var> inputs, SourceLocation location);

  // -- Backward.

  /// Adds the derivatives of the one-element `loss` to `gradients`. A second call needs a new pass. If it
  /// throws on its way back, out of a hook say, `gradients` is cleared: what it held is then a part of a sum.
  void backward(Var loss, Gradients& gradients, SourceLocation location = SourceLocation::current());
  /// The same for any shape, given the derivative of the final result with respect to `output`.
  void backward(Var output, const Tensor& seed, Gradients& gradients,
                SourceLocation location = SourceLocation::current());
  /// After backward: the gradient of a variable, or of a value that was named to keep_gradient(). Zero if the
  /// loss does not depend on it. Those of parameters are in `gradients`.
  Tensor gradient(Var x, SourceLocation location = SourceLocation::current());
  void keep_gradient(Var x, SourceLocation location = SourceLocation::current());
  /// During backward, as soon as the gradient of `x` is complete. A hook may look at the tape, not record;
  /// numbers that were released, such as a cell's sums, may be gone (keep_numbers).
  void on_gradient(Var x, std::function<void(const Tensor&)> hook,
                   SourceLocation location = SourceLocation::current());

  /// Ends the pass: all handles become stale, all memory is kept for the next one.
  void clear();
  bool consumed() const { return consumed_.line > 0; }
  /// For a node whose parts are passes of their own until its backward (ops/parallel.h): so many tapes from
  /// this number on, each fit for a thread of its own unless somebody watches. On a tape without gradients
  /// the next node gets the same.
  std::size_t new_parts(std::size_t count);
  Tape& part(std::size_t number) { return *parts_[number]; }
  /// For a node that is a pass of its own: a tape of the same dtype, kept, in the node's scope, and the
  /// gradients of the running backward, to which that pass may add.
  Tape& inner(const Node& node);
  Gradients& running_gradients();
  /// Whether what runs backward is pull_back.
  bool pulls_back() const { return pulls_back_; }

  /// The derivative of `outputs`, weighted by `seeds` of their shapes, by each of `inputs`, through nodes
  /// [begin, end) alone; all else is taken as constant. Changes nothing of the pass. Can be asked before,
  /// during and after its backward, then if the tape keeps numbers, or throws Error if some are gone.
  std::vector<Tensor> pull_back(std::uint32_t begin, std::uint32_t end, std::span<const Var> outputs,
                                std::span<const Tensor> seeds, std::span<const Var> inputs);

  // -- Passes without backward, and passes that are run again.

  class Scope;
  /// What is recorded while the result lives wants no gradient.
  [[nodiscard]] Scope no_gradient();
  bool records_gradients() const { return silent_ == 0; }
  /// From now on, the gradient of a recurrence goes back at most so many time steps (truncated
  /// backpropagation through time); 0 for all of them.
  void truncate(Index steps) { truncation_ = steps; }
  Index truncation() const { return truncation_; }
  class Frame;  // replay.h
  class Replay;
  /// Of nodes [begin, end), for as long as they are on the tape.
  Replay replay(std::size_t begin, std::size_t end);
  /// Whether somebody has looked at numbers (Var::tensor, item, view) since clear().
  bool observed() const { return observed_; }

  // -- Threads.

  /// From now on, parts of the pass that do not depend on each other, such as the directions of scan_both,
  /// may be computed at once by this thread pool; nullptr, as at first, or a thread pool that has gone is
  /// none. The numbers do not depend on how many threads of it are free.
  void use_threads(ThreadPool* thread_pool);
  ThreadPool* thread_pool() const { return thread_pool_lives_.expired() ? nullptr : thread_pool_; }

  // -- Where we are: module path and time step of what is recorded next.

  class Scope {
   public:
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { slot_ = before_; }

   private:
    friend class Tape;
    Scope(std::int64_t& slot, std::int64_t now) : slot_(slot), before_(slot) { slot = now; }
    std::int64_t& slot_;
    std::int64_t before_;
  };
  /// Everything recorded while the result lives belongs to this part, inside the enclosing one.
  [[nodiscard]] Scope scope(std::string_view name) {
    return Scope(scope_, scopes_->enter(current_scope(), name));
  }
  /// The same for a module; nn::enter() is how one says it.
  [[nodiscard]] Scope scope(const void* module, const ModuleType& type,
                            std::optional<std::string_view> name = {}, SourceLocation location = {}) {
    return Scope(scope_, scopes_->enter(current_scope(), module, type, name, location));
  }
  /// The number of a recurrence that begins, its own in this pass, inner tapes included.
  std::uint32_t new_recurrence() { return scopes_->new_recurrence(); }
  /// Everything recorded while the result lives belongs to time step `t` of a recurrence.
  [[nodiscard]] Scope at_step(std::uint32_t recurrence, Index t) {
    return Scope(time_,
                 static_cast<std::int64_t>(std::uint64_t{recurrence} << 32 | static_cast<std::uint32_t>(t)));
  }
  /// -1 outside of recurrences.
  std::int32_t time_step() const { return static_cast<std::int32_t>(time_); }
  /// kNone outside of recurrences.
  std::uint32_t recurrence() const { return static_cast<std::uint32_t>(time_ >> 32); }
  std::uint32_t current_scope() const { return static_cast<std::uint32_t>(scope_); }
  const Scopes& scopes() const { return *scopes_; }
  /// Of a node's scope: "encoder.layers.0.forward"; "" outside of all.
  std::string scope_path(std::uint32_t scope) const {
    return scope == kNone ? std::string() : scopes()[scope].path;
  }

  // -- Observers.

  /// Keeps an observer told of what runs; the observer must outlive it.
  class Attachment {
   public:
    Attachment(Tape& tape, Observer& observer) : tape_(tape), observer_(observer) {
      tape.observers_->add(observer);
    }
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
    ~Attachment() { tape_.observers_->remove(observer_); }

   private:
    Tape& tape_;
    Observer& observer_;
  };
  [[nodiscard]] Attachment attach(Observer& observer) { return Attachment(*this, observer); }
  /// For recurrences: tells the observers of a step, and of the state after it.
  void announce_step(const Step& step) {
    observers_->tell([&](Observer& o) { o.step(*this, step); });
  }
  void announce_state(std::span<const Var> fields) {
    observers_->tell([&](Observer& o) { o.state(*this, fields); });
  }
  bool attended() const { return !observers_->empty(); }

  // -- For ops, inspection and tests.

  std::span<const Value> values() const { return {values_.data(), values_.size()}; }
  std::span<const Node> nodes() const { return {nodes_.data(), nodes_.size()}; }
  const Value& value(std::uint32_t id) const { return values_[id]; }
  std::span<const Root> roots() const { return {roots_.data(), roots_.size()}; }
  const Root& root(const Value& value) const { return roots_[value.root]; }
  const Root& root(std::uint32_t id) const { return root(values_[id]); }
  /// Where the numbers of a leaf come from; nullptr for what a node made.
  const Leaf* leaf(const Root& root) const { return root.leaf > 0 ? &leaves_[root.leaf - 1] : nullptr; }
  /// Where the gradient of a value lies inside that of its root.
  std::byte* gradient_of(const Value& v) const {
    const Root& root = roots_[v.root];
    return root.gradient + (v.data - root.data);
  }
  /// What is known of a value as a factor of products; made when missing.
  const Operand* find_operand(std::uint32_t id) const {
    return values_[id].operand > 0 ? &operands_[values_[id].operand - 1] : nullptr;
  }
  Operand& operand(std::uint32_t id) {
    const std::uint32_t known = values_[id].operand;
    return known > 0 ? operands_[known - 1] : add_operand(id);
  }
  /// Throws Error unless `x` is a live handle of this tape; its position otherwise.
  std::uint32_t check(Var x, const char* op, SourceLocation location) const {
    if (x.tape_ != this || x.pass_ != pass_ || values_[x.index_].closed) [[unlikely]]
      reject(x, op, location);
    return x.index_;
  }
  /// The same for one whose numbers are to be read.
  std::uint32_t check_numbers(Var x, const char* op, SourceLocation location) const {
    const std::uint32_t id = check(x, op, location);
    if (root(id).overwritten) [[unlikely]]
      reject_overwritten(op, location);
    return id;
  }
  Arena& arena() { return arena_; }
  const Arena& arena() const { return arena_; }
  /// Bytes that this tape and its inner ones hold from the heap for numbers.
  std::size_t memory() const {
    std::size_t total = arena_.reserved() + lasting_.reserved() + (inner_ ? inner_->memory() : 0);
    for (const auto& part : parts_) total += part->memory();
    return total;
  }
  MemoryPool& pool() { return pool_; }
  const MemoryPool& pool() const { return pool_; }
  /// Bytes of numbers in use now, without those of the inner tape: what the arena gave out, forms, and what
  /// is taken of the pool, which is gradients and scratch.
  struct Usage {
    std::size_t arena, forms, pool;
    std::size_t total() const { return arena + forms + pool; }
  };
  Usage usage() const { return {arena_.used(), lasting_.used() - pool_.held(), pool_.used()}; }
  /// Passes begun so far: one more with each clear().
  std::uint32_t pass() const { return pass_; }
  /// New memory is filled with NaN, and derivatives are given NaN for what their op does not claim to read.
  void poison(bool on);
  bool poisoned() const { return poisoned_; }
  /// Where backward may write the gradient of `x`: see op.h for the rules.
  std::byte* gradient_memory(std::uint32_t id, bool& fresh);
  /// The same for several values, bit i of `wanted` for ids[i]; returns the bits of those that are fresh.
  /// Blocks of columns that follow each other and together fill rows are fresh together. What is in `summed`,
  /// or shares memory in another way, is zeroed where it would be fresh.
  unsigned gradient_memory(std::span<const std::uint32_t> ids, unsigned wanted, unsigned summed,
                           std::byte** memory);
  /// What backward of most nodes takes: the gradient memory of each wanted input.
  void take_gradients(const Node& node);
  /// The numbers of a value in a layout of an op's own, kept as long as the value; make(memory) is called
  /// when it is first asked for. The numbers of a value never change once something has read them. In
  /// backward the first form that is made takes the memory of the other, which was most often for forward
  /// alone.
  template <class Make>
  const std::byte* form(std::uint32_t id, int which, std::size_t bytes, Make make) {
    std::byte*& form = operand(id).forms[which];
    if (!form) {
      form = form_memory(operand(id), which, bytes);
      if (!dry_) make(form);
    }
    return form;
  }
  Gradients::Entry* sparse_entry(std::uint32_t id);
  /// Those of the running backward, as far as they are; nullptr outside of it.
  const Gradients* gradients() const { return gradients_; }
  /// A product to be filled in, for the gradient of a value; the root keeps its gradient until then.
  DeferredPair& defer(std::uint32_t id, std::uint32_t pinned, void (*flush)(Tape&, std::uint32_t));
  const DeferredPair& pair(std::uint32_t index) const { return pairs_[index]; }

 private:
  friend class Var;
  struct Bound {
    const Parameter::Leaf* leaf;
    std::uint32_t value;
    std::uint32_t pass;
  };
  struct Hook {
    std::uint32_t value;
    std::uint32_t node;  // that made it, as backward begins
    std::function<void(const Tensor&)> call;
  };

  bool lives(const Bound& b) const;
  Var handle(std::uint32_t id) { return Var(this, id, pass_); }
  std::uint32_t add_root(const Shape& shape, std::byte* data, bool wants);
  std::uint32_t add_leaf(const Shape& shape, std::byte* data, SourceLocation location,
                         std::uint32_t of = kNone);
  Value& add_view(std::uint32_t of, Index stride, Index offset);
  Var last() { return handle(static_cast<std::uint32_t>(values_.size() - 1)); }
  std::uint32_t begin_node(const OpTable* table, const void* op, std::span<const Var> inputs,
                           std::span<const Shape> outputs, int aliased, int deferred, bool wants,
                           SourceLocation location);
  void run_backward(Var output, const Tensor* seed, Gradients& gradients, SourceLocation location);
  void backward_node(std::uint32_t index);
  /// f(), of which the observers are told.
  template <class F>
  void run(std::uint32_t node, Phase phase, F f) {
    if (observers_->empty()) return f();
    Observers::Work work(*observers_, *this, node, phase);
    work.begin();
    f();
    work.end();
  }
  // The bytes of its root that a value spans, with gaps if it is a slice of columns.
  Index begin_of(const Value& v) const { return v.data - roots_[v.root].data; }
  Index end_of(const Value& v) const {
    const Index rows = v.shape.rows(), cols = v.shape.cols();
    const Index elements = rows == 0 || cols == 0 ? 0 : (rows - 1) * v.stride + cols;
    return begin_of(v) + elements * static_cast<Index>(size_of(dtype_));
  }
  std::byte* form_memory(Operand& factor, int which, std::size_t bytes);
  std::byte* output_memory(const Shape& shape);
  [[noreturn, gnu::noinline]] void reject_outputs(std::uint32_t node, const Shape& shape);
  void use_released(Root& root, Index begin, Index end);
  void use_released(const OpTable& table, std::span<const std::uint32_t> ids, int aliased);
  Root& with_gradient(std::uint32_t root);
  void move_out(Root& root);
  bool claim(Root& root, Index begin, Index end);
  void complete(Root& root, Index begin, Index end);
  void add_seed(std::uint32_t id, const Tensor* seed);
  bool reached(const Value& output) const;
  void settle(std::uint32_t node);  // one node less may defer a product for an input of it
  void release(Root& root);
  void call_hooks(std::uint32_t node);
  void sort_hooks();
  Operand& add_operand(std::uint32_t id);
  [[noreturn]] void reject(Var x, const char* op, SourceLocation location) const;
  [[noreturn]] static void reject_overwritten(const char* op, SourceLocation location);
  Tensor gradient_tensor(std::uint32_t id);

  DType dtype_;
  bool dry_;
  std::uint32_t pass_ = 1;
  Arena arena_;  // values, nodes and what ops keep
  struct {
    std::byte* memory;
    std::size_t bytes;
  } spare_{};      // of it: what a value had that was moved away last
  Arena lasting_;  // what a Frame does not take back: blocks of the pool, and forms of values from before it
  MemoryPool pool_{lasting_};
  Table<Value> values_;
  Table<Root> roots_;
  Table<Node> nodes_;
  Table<Leaf> leaves_;
  Table<Operand> operands_;
  Table<DeferredPair> pairs_;
  std::size_t framed_ = ~std::size_t{0};  // values from here on go with the frame that they were made in
  std::vector<Bound> bound_;              // open-addressing table of the parameters seen in this pass
  std::size_t bound_count_ = 0;
  std::vector<Hook> hooks_;
  std::size_t next_hook_ = 0;  // in the order of backward, once that has begun
  Scopes own_scopes_;
  Scopes* scopes_ = &own_scopes_;  // an inner tape's are those of the outermost
  std::int64_t scope_ = -1;
  std::int64_t time_ = -1;  // recurrence and time step
  Index truncation_ = 0;
  bool keeps_numbers_ = false;
  std::int64_t silent_ = 0;
  Gradients* gradients_ = nullptr;  // of the running backward
  void (*flush_)(Tape&, std::uint32_t) = nullptr;
  SourceLocation consumed_;
  bool poisoned_ = false;
  bool observed_ = false;
  Observers own_observers_;
  Observers* observers_ = &own_observers_;  // likewise
  std::unique_ptr<Tape> inner_;
  std::vector<std::unique_ptr<Tape>> parts_;
  std::size_t parts_in_use_ = 0;
  bool is_part_ = false;  // of another tape, whose Gradients it adds to
  bool pulls_back_ = false;
  ThreadPool* thread_pool_ = nullptr;
  std::weak_ptr<const void> thread_pool_lives_;
};

inline Tape& Var::tape(SourceLocation location) const {
  if (!tape_ || pass_ != tape_->pass_) [[unlikely]]
    reject(location);
  return *tape_;
}

inline Shape Var::shape(SourceLocation location) const { return tape(location).value(index_).shape; }
inline Index Var::rows(SourceLocation location) const { return tape(location).value(index_).shape.rows(); }
inline Index Var::cols(SourceLocation location) const { return tape(location).value(index_).shape.cols(); }

inline Tape::Scope Tape::no_gradient() { return Scope(silent_, 1); }

template <class T>
View<const T> Var::view(SourceLocation location) const {
  Tape& t = tape(location);
  t.observed_ = true;
  if (t.dry()) fail("view", "a value of a dry tape came; needed one of a tape that computes", location);
  if (t.dtype() != dtype_of<T>) fail("view", std::string("the tape is of ") + name_of(t.dtype()), location);
  const Value& v = t.value(t.check_numbers(*this, "view", location));
  return {reinterpret_cast<const T*>(v.data), v.shape, v.stride};
}

}  // namespace unroll::autograd

namespace unroll {
using autograd::Tape;
}
