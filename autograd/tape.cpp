#include "autograd/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "autograd/op.h"
#include "autograd/system/thread_pool.h"

namespace unroll::autograd {

std::vector<const OpTable*>& all_ops() {
  static std::vector<const OpTable*> ops;
  return ops;
}

// -- Handles.

void Var::reject(SourceLocation location) const {
  if (!tape_) fail("value", "an empty handle came; needed one that an op or a tape gave", location);
  fail("value",
       "a handle of a cleared tape came; compute it again after clear(), or keep tensor() across passes",
       location);
}

DType Var::dtype() const { return tape().dtype(); }

Tensor Var::tensor(SourceLocation location) const {
  Tape& t = tape(location);
  t.observed_ = true;
  t.check_numbers(*this, "tensor", location);
  Tensor result(shape(location), t.dtype());
  if (!t.dry()) dispatch(t.dtype(), [&]<class T>() { copy(view<T>(location), result.view<T>()); });
  return result;
}

double Var::item(SourceLocation location) const {
  Tape& t = tape(location);
  if (shape(location).size() != 1)
    fail("item", fmt::format("a value of shape {} came; needed one element", to_string(shape(location))),
         location);
  t.check_numbers(*this, "item", location);
  if (t.dry()) return 0;
  return dispatch(t.dtype(), [&]<class T>() { return static_cast<double>(*view<T>(location).data); });
}

void Tape::reject(Var x, const char* op, SourceLocation location) const {
  if (!x.tape_) fail(op, "an empty handle came; needed one that an op or a tape gave", location);
  if (x.tape_ != this) fail(op, "a handle of another tape came; needed one tape for all operands", location);
  if (x.pass_ != pass_)
    fail(
        op,
        "a handle of a cleared tape came; compute it again after clear(), or carry its numbers across passes "
        "with tensor() and constant()",
        location);
  fail(
      op,
      "a value came whose memory was given to a recurrence for overwriting; needed its use inside the cell's "
      "step, or a copy made before",
      location);
}

void Tape::reject_overwritten(const char* op, SourceLocation location) {
  fail(
      op,
      "a value came whose numbers backward overwrote with their gradient; needed its use before backward, or "
      "keep_numbers() of the tape",
      location);
}

// -- Memory.

std::uint32_t Tape::add_root(const Shape& shape, std::byte* data, bool wants) {
  const auto id = static_cast<std::uint32_t>(values_.size());
  Value& v = values_.add();
  v.data = data;
  v.shape = shape;
  v.stride = static_cast<std::int32_t>(shape.cols());
  v.root = static_cast<std::uint32_t>(roots_.size());
  v.node = kNone;
  v.operand = 0;
  v.wants_gradient = wants;
  v.view = v.closed = v.zero = false;
  Root& root = roots_.add();
  root.data = data;
  root.gradient = nullptr;
  root.bytes = shape.size() * static_cast<Index>(size_of(dtype_));
  root.valid_begin = root.valid_end = 0;
  root.parameter = nullptr;
  root.value = id;
  root.leaf = root.pins = 0;
  root.keeps_gradient = root.done = root.read = root.viewed = root.released = false;
  root.overwritten = root.shared = root.reserved = false;
  return id;
}

// -- Views.

// Of the shape of `of`; the caller changes it where it lies.
Value& Tape::add_view(std::uint32_t of, Index stride, Index offset) {
  Value& v = values_.add();
  const Value& base = values_[of];
  v.data = base.data + offset * static_cast<Index>(size_of(dtype_));
  v.shape = base.shape;
  v.stride = static_cast<std::int32_t>(stride);
  v.root = base.root;
  v.node = base.node;
  v.operand = 0;
  v.wants_gradient = base.wants_gradient;
  v.view = true;
  v.closed = false;
  v.zero = base.zero;
  roots_[v.root].viewed = true;
  return v;
}

Var Tape::rows(Var x, Index begin, Index count, SourceLocation location) {
  const std::uint32_t id = check(x, "rows", location);
  const Value& v = values_[id];
  const Index extent = v.shape.rank() == 0 ? 0 : v.shape[0];
  if (begin < 0 || count < 0 || begin > extent - count)
    fail("rows",
         fmt::format(
             "{} rows from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), extent),
         location);
  const bool flat = v.shape.rank() == 1;
  const Index step = flat ? 1 : extent == 0 ? 0 : v.shape.rows() / extent * v.stride;
  add_view(id, flat ? count : v.stride, begin * step).shape.shrink_rows(count);
  return last();
}

Var Tape::columns(Var x, Index begin, Index count, SourceLocation location) {
  const std::uint32_t id = check(x, "columns", location);
  const Value& v = values_[id];
  if (v.shape.rank() == 0 || begin < 0 || count < 0 || begin > v.shape.cols() - count)
    fail("columns",
         fmt::format(
             "{} columns from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), v.shape.rank() == 0 ? 0 : v.shape.cols()),
         location);
  add_view(id, v.stride, begin).shape.shrink_cols(count);
  return last();
}

[[gnu::flatten]] void Tape::split(Var x, std::span<Var> parts, SourceLocation location) {
  const std::uint32_t id = check(x, "split", location);
  const auto count = static_cast<Index>(parts.size());
  const Shape& whole = values_[id].shape;
  if (count == 0 || whole.rank() == 0 || whole.cols() % count != 0)
    fail("split",
         fmt::format("a value of shape {} came; needed a number of columns divisible by {}", to_string(whole),
                     count),
         location);
  const Index each = whole.cols() / count, stride = values_[id].stride;
  for (Index i = 0; i < count; ++i) {
    add_view(id, stride, i * each).shape.shrink_cols(each);
    parts[static_cast<std::size_t>(i)] = last();
  }
}

Var Tape::reshape(Var x, const Shape& shape, SourceLocation location) {
  const std::uint32_t id = check(x, "reshape", location);
  const Value& v = values_[id];
  if (shape.size() != v.shape.size())
    fail("reshape",
         fmt::format("{} elements of shape {} came for shape {}; needed {}", v.shape.size(),
                     to_string(v.shape), to_string(shape), shape.size()),
         location);
  const bool contiguous = v.stride == v.shape.cols() || v.shape.rows() <= 1;
  if (contiguous || shape.cols() == v.shape.cols()) {
    add_view(id, contiguous ? shape.cols() : v.stride, 0).shape = shape;
    return last();
  }
  fail("reshape",
       fmt::format("a slice of columns of shape {} came for shape {}; needed the same number of columns, "
                   "or a copy (concat) first",
                   to_string(v.shape), to_string(shape)),
       location);
}

Var Tape::stop_gradient(Var x, SourceLocation location) {
  const std::uint32_t from = check_numbers(x, "stop_gradient", location);
  const Value v = values_[from];
  const std::uint32_t id = add_leaf(v.shape, v.data, location, from);
  values_[id].stride = v.stride;
  roots_[v.root].read = roots_[v.root].shared = true;
  roots_[v.root].released = false;
  return handle(id);
}

Var Tape::open(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "open", location);
  const Value v = values_[id];
  if (v.node == kNone || v.view || nodes_[v.node].table->reads_outputs != 0) return {};
  if (roots_[v.root].read || roots_[v.root].keeps_gradient) return {};
  release_numbers(x, location);
  for (std::size_t i = id; i < values_.size(); ++i)
    if (values_[i].root == v.root) values_[i].closed = true;
  add_view(id, v.stride, 0);
  return last();
}

Var Tape::release_numbers(Var x, SourceLocation location) {
  const Value& v = values_[check(x, "release_numbers", location)];
  const bool needed = v.node == kNone || v.view || nodes_[v.node].table->reads_outputs != 0;
  if (!needed && !roots_[v.root].read) roots_[v.root].released = true;
  return x;
}

bool Tape::move_in(Var piece, Var whole, Index row, SourceLocation location) {
  const std::uint32_t id = check(piece, "move_in", location), to = check(whole, "move_in", location);
  const Value& v = values_[id];
  const std::uint32_t from_root = v.root, to_root = values_[to].root;
  const Shape &shape = v.shape, &all = values_[to].shape;
  Root &from = roots_[from_root], &root = roots_[to_root];
  if (!root.reserved || values_[to].view)
    fail("move_in", "a value came that reserve() did not give; needed one that it gave, whole", location);
  if (!can_move(piece) || shape.cols() != all.cols() || row < 0 || row > all.rows() - shape.rows() ||
      (id >= framed_) != (to >= framed_))
    return false;
  std::byte* memory = root.data + row * all.cols() * static_cast<Index>(size_of(dtype_));
  if (!dry_) std::memcpy(memory, from.data, static_cast<std::size_t>(from.bytes));
  // The gradient of the whole is complete when backward comes to the piece that was made first.
  values_[to].node = std::min(values_[to].node, v.node);
  values_[to].wants_gradient = values_[to].wants_gradient || v.wants_gradient;
  root.keeps_gradient = root.keeps_gradient || from.keeps_gradient;
  const std::size_t end = from.viewed ? values_.size() : id + 1;
  for (std::size_t i = id; i < end; ++i)  // the piece and its views
    if (Value& part = values_[i]; part.root == from_root) {
      part.data = memory + (part.data - from.data);
      part.root = to_root;
      part.view = true;
    }
  if (!from.shared) spare_ = {from.data, static_cast<std::size_t>(from.bytes)};
  return true;
}

// -- Recording.

// Some node has these bytes of released numbers as an input. A second one would read numbers where the first
// one's gradients are.
void Tape::use_released(Root& root, Index begin, Index end) {
  if (begin >= end) return;
  if (root.valid_begin == root.valid_end) root.valid_begin = root.valid_end = begin;
  if (begin >= root.valid_end)
    root.valid_end = end;
  else if (end <= root.valid_begin)
    root.valid_begin = begin;
  else
    root.released = false;
}

// Inputs of a node that lie side by side, or one after the other, are one use: so the gradient need not move
// out between one input and the next.
void Tape::use_released(const OpTable& table, std::span<const std::uint32_t> ids, int aliased) {
  const Value* last = nullptr;
  Index begin = 0, end = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Value& v = values_[ids[i]];
    Root& root = roots_[v.root];
    if (!root.released || static_cast<int>(i) == aliased) continue;
    if (!table.reads_first && (table.reads_inputs >> std::min<std::size_t>(i, 31) & 1)) root.released = false;
    const Index from = begin_of(v);
    if (last && last->root == v.root) {
      const bool beside = v.data == last->data + last->shape.cols() * static_cast<Index>(size_of(dtype_)) &&
                          v.stride == last->stride && v.shape.rows() == last->shape.rows();
      if (!beside && from != end) root.released = false;
    } else {
      if (last) use_released(roots_[last->root], begin, end);
      begin = from;
    }
    end = end_of(v);
    last = &v;
  }
  if (last) use_released(roots_[last->root], begin, end);
}

// What a value of about this size has left, or new memory.
std::byte* Tape::output_memory(const Shape& shape) {
  const auto bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype_);
  if (!spare_.memory || bytes > spare_.bytes || bytes < spare_.bytes / 2) return arena_.allocate(bytes);
  std::byte* memory = std::exchange(spare_, {}).memory;
  if (poisoned_) std::memset(memory, 0xFF, bytes);
  return memory;
}

// Flattened, as the calls are a large part of what a small node costs.
[[gnu::flatten]] std::uint32_t Tape::begin_node(const OpTable* table, const void* op,
                                                std::span<const Var> inputs, std::span<const Shape> outputs,
                                                int aliased, int deferred, bool wants,
                                                SourceLocation location) {
  if (gradients_)
    fail(table->name(op), "an op came while backward runs; needed it before or after", location);
  auto* ids = static_cast<std::uint32_t*>(
      arena_.allocate_record(inputs.size() * sizeof(std::uint32_t), alignof(std::uint32_t)));
  bool released = false, overwritten = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint32_t id = ids[i] = inputs[i].index_;
    const Value& v = values_[id];
    Root& root = roots_[v.root];
    const bool reads = static_cast<int>(i) != aliased;
    root.read = root.read || reads;
    released = released || (reads && root.released);
    overwritten = overwritten || root.overwritten;
    wants = wants || v.wants_gradient;
  }
  if (overwritten) [[unlikely]]
    reject_overwritten(table->name(op), location);
  if (released && !consumed()) use_released(*table, {ids, inputs.size()}, aliased);
  wants = wants && records_gradients();
  if (deferred >= 0) {
    Operand& factor = operand(ids[deferred]);
    ++factor.uses;
    if (wants)
      ++factor.pending;
    else
      deferred = -1;
  }

  const auto index = static_cast<std::uint32_t>(nodes_.size());
  Node& node = nodes_.add();
  node.table = table;
  node.op = op;
  node.inputs = ids;
  node.location = location;
  node.input_count = static_cast<std::uint32_t>(inputs.size());
  node.first_output = static_cast<std::uint32_t>(values_.size());
  node.scope = current_scope();
  node.recurrence = recurrence();
  node.step = time_step();
  node.output_count = static_cast<std::uint8_t>(outputs.size());
  node.deferred = static_cast<std::int8_t>(deferred);
  node.wants_gradient = wants;
  try {
    for (const Shape& shape : outputs) {
      if (aliased >= 0)
        add_view(ids[aliased], values_[ids[aliased]].stride, 0).shape = shape;
      else
        add_root(shape, output_memory(shape), wants);
      Value& v = values_.back();
      v.node = index;
      v.wants_gradient = wants;
      v.zero = false;
    }
  } catch (const std::bad_alloc&) {
    reject_outputs(index, outputs[0]);
  }
  return index;
}

// There is no memory for them: the node is taken back.
void Tape::reject_outputs(std::uint32_t node, const Shape& shape) {
  const Node n = nodes_[node];
  for (; values_.size() > n.first_output; values_.shrink(values_.size() - 1))
    if (!values_.back().view) roots_.shrink(roots_.size() - 1);
  if (n.deferred >= 0) --operand(n.inputs[n.deferred]).pending;
  nodes_.shrink(node);
  fail(n.table->name(n.op),
       fmt::format("an output of shape {} came; needed one that there is memory for", to_string(shape)),
       n.location);
}

// That of the other form in backward, but once: where both are needed, each is made once more at most.
std::byte* Tape::form_memory(Operand& factor, int which, std::size_t bytes) {
  const int other = 1 - which;
  factor.form_bytes[which] = bytes;
  if (!consumed() || factor.took_over || !factor.forms[other] || factor.form_bytes[other] < bytes)
    return (factor.value < framed_ ? lasting_ : arena_).allocate(bytes);
  factor.took_over = true;
  return std::exchange(factor.forms[other], nullptr);
}

Operand& Tape::add_operand(std::uint32_t id) {
  Operand& factor = operands_.add();
  factor = {};
  factor.value = id;
  factor.first_pair = kNone;
  values_[id].operand = static_cast<std::uint32_t>(operands_.size());
  return factor;
}

// -- The pass as a whole.

void Tape::clear() {
  if (gradients_) fail("clear", "a call came while backward runs; needed it before or after");
  ++pass_;
  if (scopes_ == &own_scopes_) own_scopes_.new_pass(current_scope());
  observed_ = false;
  spare_ = {};
  arena_.clear();
  lasting_.clear();
  pool_.clear();
  values_.clear();
  roots_.clear();
  nodes_.clear();
  leaves_.clear();
  operands_.clear();
  pairs_.clear();
  hooks_.clear();
  next_hook_ = 0;
  bound_count_ = 0;
  consumed_ = {};
  parts_in_use_ = 0;
}

void Tape::use_threads(ThreadPool* thread_pool) {
  thread_pool_ = thread_pool;
  thread_pool_lives_.reset();
  if (thread_pool) thread_pool_lives_ = thread_pool->life();
}

void Tape::poison(bool on) {
  poisoned_ = on;
  arena_.poison(on);
  lasting_.poison(on);
  pool_.poison(on);
}

}  // namespace unroll::autograd
