// A pass as ops, observers and tests see it: what was recorded, where it lies, and under which circumstances.
// What users call is in tape.h.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/context.h"
#include "autograd/records.h"
#include "autograd/storage.h"
#include "autograd/walk.h"

namespace unroll::autograd {

class GatheredRows;
class Transient;

class Pass {
 public:
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  DType dtype() const { return dtype_; }
  /// A dry pass is recorded and walked back as always, and takes the same memory to the byte, but computes
  /// nothing and touches none of it: what a pass will take can be known without room for it. item() and
  /// tensor() give zeros, view() and gradient() throw Error, hooks are not called.
  bool dry() const { return storage_.dry(); }

  // -- What was recorded.

  Records& records() { return records_; }
  const Records& records() const { return records_; }
  std::span<const Value> values() const { return {records_.values.data(), records_.values.size()}; }
  std::span<const Node> nodes() const { return {records_.nodes.data(), records_.nodes.size()}; }
  const Value& value(std::uint32_t id) const { return records_.values[id]; }
  const Buffer& buffer(const Value& value) const { return records_.buffer(value); }
  const Buffer& buffer(std::uint32_t id) const { return records_.buffer(id); }
  /// Passes begun so far, each with a number of its own.
  std::uint32_t pass() const { return pass_; }
  /// Whether somebody has looked at values (Var::tensor, item, view) since clear().
  bool observed() const { return observed_; }

  bool holds(Var x) const { return x.tape_ == this && lives(x.index_, x.stamp_); }
  /// Throws Error unless `x` is a live handle of this tape; its position otherwise.
  std::uint32_t check(Var x, const char* op, SourceLocation location) const {
    if (!holds(x) || records_.values[x.index_].closed) [[unlikely]]
      reject(x, op, location);
    return x.index_;
  }
  /// The same for one whose values are to be read.
  std::uint32_t check_values(Var x, const char* op, SourceLocation location) const {
    const std::uint32_t id = check(x, op, location);
    if (buffer(id).overwritten()) [[unlikely]]
      reject_overwritten(op, location);
    return id;
  }
  /// Whether a handle is of this pass, and not of a Transient that has ended.
  bool lives(std::uint32_t index, std::uint32_t stamp) const { return stamp == stamp_of(index); }

  // -- Memory.

  Storage& storage() { return storage_; }
  const Storage& storage() const { return storage_; }
  Arena& arena() { return storage_.arena(); }
  const Arena& arena() const { return storage_.arena(); }
  MemoryPool& pool() { return storage_.pool(); }
  const MemoryPool& pool() const { return storage_.pool(); }
  using Usage = Storage::Usage;
  /// Without that of passes within this one.
  Usage usage() const { return storage_.usage(); }
  /// Bytes that this pass and those within it hold from the heap.
  std::size_t memory() const;
  /// New memory is filled with NaN, and derivatives are given NaN for what their op does not claim to read.
  void poison(bool on) { storage_.poison(on); }
  bool poisoned() const { return storage_.poisoned(); }
  /// The values of `id` in a layout of an op's own, kept as long as the value; make(memory) is called when it
  /// is first asked for. Values never change once something has read them. In backward the first copy that is
  /// made takes the memory of the other, which was most often for forward alone.
  template <class Make>
  const std::byte* packed_copy(std::uint32_t id, int which, std::size_t bytes, Make make) {
    std::byte*& copy = records_.operand(id).packed[which];
    if (!copy) {
      copy = packed_memory(records_.operand(id), which, bytes);
      if (!dry()) make(copy);
    }
    return copy;
  }

  /// Keeps something alive until the pass is cleared.
  void keep(std::shared_ptr<const void> thing) { kept_.push_back(std::move(thing)); }
  /// Says that a node of this pass has read the parameters of `part` and will again in backward, by the model
  /// as it lies in memory now: expect_unchanged().
  void reads_again(const Pass& part);

  // -- Memory that may be used twice (buffer.h).

  /// Says that the values of `x` are needed no longer than for backward: there its gradient may take their
  /// place, so that both take the memory of one. It does where each element is an input of one node at most,
  /// whose op reads it first (op.h); where keep_gradient() was not called for x, nothing had read it before
  /// this, and no observer reads values. Reading them after backward throws Error then. Returns x.
  Var donate(Var x, SourceLocation location = SourceLocation::current());
  /// The same, and gives the memory to ops that overwrite it with sums that begin with it (op.h, `aliased`).
  /// Returns the handle through which that may happen, each element at most once; other uses of x throw Error
  /// from then on. Returns an empty handle where it would be unsafe: something has read x, or needs its
  /// values.
  Var donate_to_ops(Var x, SourceLocation location = SourceLocation::current());

  /// Records a node whose inputs were checked, with outputs of these shapes: what Tape::record ends with.
  template <class O>
  std::array<Var, O::outputs> record_checked(const O& op, std::span<const Var> inputs,
                                             std::span<const Shape> outputs, SourceLocation location);

  // -- Circumstances: where we are, and what holds for what is recorded next.

  using Scope = Context::Setting;
  /// The number of a recurrence that begins, its own in this pass, passes within it included.
  std::uint32_t new_recurrence() { return context_.scopes->new_recurrence(); }
  /// Everything recorded while the result lives belongs to time step `t` of a recurrence.
  [[nodiscard]] Scope at_step(std::uint32_t recurrence, Index t) {
    return Scope(context_.time,
                 static_cast<std::int64_t>(std::uint64_t{recurrence} << 32 | static_cast<std::uint32_t>(t)));
  }
  /// -1 outside of recurrences.
  std::int32_t time_step() const {
    context_.time_read = true;
    return static_cast<std::int32_t>(context_.time);
  }
  /// kNone outside of recurrences.
  std::uint32_t recurrence() const { return static_cast<std::uint32_t>(context_.time >> 32); }
  std::uint32_t current_scope() const { return context_.current_scope(); }
  const Scopes& scopes() const { return *context_.scopes; }
  /// Of a node's scope: "encoder.layers.0.forward"; "" outside of all.
  std::string scope_path(std::uint32_t scope) const {
    return scope == kNone ? std::string() : scopes()[scope].path;
  }
  Context& context() { return context_; }
  const Context& context() const { return context_; }
  bool records_gradients() const { return context_.silent == 0; }
  /// Whether it is a pass within another, to whose Gradients it adds.
  bool is_part() const { return is_part_; }

  // -- The walk back over the whole pass, once it has begun.

  Walk& walk() { return *walk_; }
  const Walk& walk() const { return *walk_; }
  bool consumed() const { return consumed_.line > 0; }
  /// Throws Error if a parameter that this pass has read was changed since, or has died.
  void expect_unchanged(const char* op, SourceLocation location) const;

  // -- Passes within this one, for a node that is one (ops/sub_pass.h). Each is a tape of the same dtype.

  /// The one that all nodes share that need it no longer than for their own forward or backward.
  Tape& shared_part(std::uint32_t scope);
  /// So many from this number on, each kept until this pass is cleared, and fit for a thread of its own
  /// unless somebody watches. Without gradients the next node gets the same.
  std::size_t new_parts(std::size_t count);
  Tape& part(std::size_t number) { return *parts_[number]; }

 protected:
  friend class GatheredRows;
  friend class HandleScope;
  friend class Transient;
  friend class Var;

  struct Bound {
    std::shared_ptr<Parameter::Leaf> leaf;
    std::uint32_t value = 0, pass = 0;
  };

  Pass(DType dtype, Dry dry);
  ~Pass();

  // The values of a Transient or a HandleScope: from `begin` on.
  struct Held {
    std::size_t begin;
    std::uint32_t stamp;
    const Held* around;
  };
  std::uint32_t stamp_of(std::uint32_t index) const {
    for (const Held* held = held_; held; held = held->around)
      if (index >= held->begin) return held->stamp;
    return pass_;
  }
  bool is_held(std::uint32_t index) const { return held_ && index >= held_->begin; }
  Var handle(std::uint32_t id) { return Var(this, id, stamp_of(id)); }
  Var handle_around(std::uint32_t id, const Held& held) {
    return Var(this, id, held.around ? held.around->stamp : pass_);
  }
  // Of a value made just now, which is of the innermost Transient if there is one.
  Var new_handle(std::uint32_t id) { return Var(this, id, held_ ? held_->stamp : pass_); }
  Var last() { return new_handle(static_cast<std::uint32_t>(records_.values.size() - 1)); }
  std::uint32_t begin_node(const OpTable* table, const void* op, std::span<const Var> inputs,
                           std::span<const Shape> outputs, int aliased, int deferred, bool wants,
                           SourceLocation location);
  // f(), of which the observers are told.
  template <class F>
  void run_forward(std::uint32_t node, F f) {
    if (context_.observers->empty()) return f();
    Observers::NodeRun run(*context_.observers, *self(), node, Phase::forward);
    run.begin();
    f();
    run.end();
  }
  void note_readers(const OpTable& table, std::span<const std::uint32_t> ids, int aliased);
  [[noreturn]] void reject(Var x, const char* op, SourceLocation location) const;
  [[noreturn]] static void reject_overwritten(const char* op, SourceLocation location);

  DType dtype_;
  Records records_;
  Storage storage_;
  Context context_;
  std::unique_ptr<Walk> walk_;
  std::uint32_t stamps_ = 1, pass_ = 1;  // the last number given to a pass or to what it holds; this pass's
  const Held* held_ = nullptr;           // the innermost
  std::vector<Bound> bound_;             // open-addressing table of the parameters seen in this pass
  std::size_t bound_count_ = 0;
  std::vector<std::shared_ptr<const void>> kept_;
  struct ReadAgain {
    std::shared_ptr<const Parameter::Leaf> leaf;
    std::uint64_t version;
    const Parameter* owner;
  };
  std::vector<ReadAgain> read_again_;
  SourceLocation consumed_;
  bool observed_ = false;
  bool is_part_ = false;
  std::vector<std::unique_ptr<Tape>> parts_;  // the first is the shared one
  std::size_t parts_in_use_ = 1;

 private:
  Tape* self();
  Tape& make_part(std::size_t number, std::uint32_t scope, bool own_thread);
  std::byte* packed_memory(Operand& factor, int which, std::size_t bytes);
  void note_reader(Buffer& buffer, ByteRange range);
  [[noreturn, gnu::noinline]] void reject_outputs(std::uint32_t node, const Shape& shape);
};

}  // namespace unroll::autograd
