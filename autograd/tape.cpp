#include "autograd/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace unroll::autograd {

std::vector<const OpTable*>& all_ops() {
  static std::vector<const OpTable*> ops;
  return ops;
}

// -- Handles.

Tape& Var::tape(Where where) const {
  if (!tape_) fail("value", "an empty handle came; needed one that an op or a tape gave", where);
  if (pass_ != tape_->pass_)
    fail("value",
         "a handle of a cleared tape came; compute it again after clear(), or keep tensor() across passes",
         where);
  return *tape_;
}

Shape Var::shape(Where where) const { return tape(where).value(index_).shape; }

DType Var::dtype() const { return tape().dtype(); }

Tensor Var::tensor(Where where) const {
  Tape& t = tape(where);
  t.observed_ = true;
  Tensor result(shape(where), t.dtype());
  dispatch(t.dtype(), [&]<class T>() { copy(view<T>(where), result.view<T>()); });
  return result;
}

double Var::item(Where where) const {
  Tape& t = tape(where);
  if (shape(where).size() != 1)
    fail("item", fmt::format("a value of shape {} came; needed one element", to_string(shape(where))), where);
  return dispatch(t.dtype(), [&]<class T>() { return static_cast<double>(*view<T>(where).data); });
}

std::uint32_t Tape::check(Var x, std::string_view op, Where where) const {
  if (x.tape_ != this || x.pass_ != pass_) {
    if (!x.tape_) fail(op, "an empty handle came; needed one that an op or a tape gave", where);
    if (x.tape_ != this) fail(op, "a handle of another tape came; needed one tape for all operands", where);
    fail(
        op,
        "a handle of a cleared tape came; compute it again after clear(), or carry its numbers across passes "
        "with tensor() and constant()",
        where);
  }
  if (x.index_ < values_[values_[x.index_].root].opened_at) reject_opened(op, where);
  return x.index_;
}

// -- Leaves.

// Values and nodes are filled in where they lie: assembled elsewhere and copied, wide loads would wait for
// the narrow stores before them.
std::uint32_t Tape::add_root(const Shape& shape, std::byte* data, bool wants) {
  const auto id = static_cast<std::uint32_t>(values_.size());
  Value& v = values_.emplace_back();
  v.data = data;
  v.shape = shape;
  v.stride = static_cast<std::int32_t>(shape.cols());
  v.root = id;
  v.node = kNone;
  v.first_pair = kNone;
  v.wants_gradient = wants;
  return id;
}

Var Tape::constant(const Tensor& tensor, Where where) {
  if (tensor.empty()) fail("constant", "an empty tensor came; needed one with memory", where);
  std::byte* data = arena_.allocate(static_cast<std::size_t>(tensor.size()) * size_of(dtype_));
  dispatch(tensor.dtype(), [&]<class From>() {
    dispatch(dtype_, [&]<class To>() {
      copy(tensor.view<From>(), view_of(reinterpret_cast<To*>(data), tensor.shape()));
    });
  });
  return handle(add_root(tensor.shape(), data, false));
}

Var Tape::constant(const Shape& shape, std::span<const float> values, Where where) {
  if (static_cast<Index>(values.size()) != shape.size())
    fail(
        "constant",
        fmt::format("{} numbers came for shape {}; needed {}", values.size(), to_string(shape), shape.size()),
        where);
  std::byte* data = arena_.allocate(values.size() * size_of(dtype_));
  dispatch(dtype_, [&]<class T>() {
    copy(view_of(values.data(), shape), view_of(reinterpret_cast<T*>(data), shape));
  });
  return handle(add_root(shape, data, false));
}

Var Tape::full(const Shape& shape, double value) {
  const auto count = static_cast<std::size_t>(shape.size());
  std::byte* data = arena_.allocate(count * size_of(dtype_));
  dispatch(dtype_, [&]<class T>() { std::fill_n(reinterpret_cast<T*>(data), count, static_cast<T>(value)); });
  const std::uint32_t id = add_root(shape, data, false);
  values_[id].zero = value == 0;
  return handle(id);
}

Var Tape::variable(const Tensor& tensor, Where where) {
  Var x = constant(tensor, where);
  values_[x.index_].wants_gradient = true;
  values_[x.index_].keeps_gradient = true;
  return x;
}

// Its value may have gone with a frame.
bool Tape::lives(const Bound& b) const {
  return b.pass == pass_ && b.value < values_.size() && values_[b.value].parameter == b.leaf;
}

Var Tape::borrow(std::byte* numbers, const Shape& shape, Index stride) {
  const std::uint32_t id = add_root(shape, numbers, false);
  values_[id].stride = static_cast<std::int32_t>(stride);
  return handle(id);
}

Var Tape::borrow(std::byte* numbers, const Shape& shape, Index stride, std::byte* gradient) {
  const Var x = borrow(numbers, shape, stride);
  Value& v = values_[x.index_];
  v.wants_gradient = true;
  v.keeps_gradient = true;
  v.gradient = gradient;
  v.valid_end = shape.size() == 0 ? 0 : (shape.rows() - 1) * stride + shape.cols();
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
    id = add_root(leaf->value.shape(), const_cast<std::byte*>(leaf->value.raw()), leaf->trainable);
  } else {
    id = constant(leaf->value).index_;
    values_[id].wants_gradient = leaf->trainable;
  }
  values_[id].parameter = leaf;
  bound_[i] = {leaf, id, pass_};
  bound_count_ += !known;
  return handle(id);
}

// -- Views.

Var Tape::add_view(std::uint32_t of, const Shape& shape, Index stride, Index offset) {
  const auto id = static_cast<std::uint32_t>(values_.size());
  Value& v = values_.emplace_back();
  const Value& base = values_[of];
  v.data = base.data + offset * static_cast<Index>(size_of(dtype_));
  v.shape = shape;
  v.stride = static_cast<std::int32_t>(stride);
  v.root = base.root;
  v.node = base.node;
  v.offset = base.offset + offset;
  v.first_pair = kNone;
  v.wants_gradient = base.wants_gradient;
  v.zero = base.zero;
  return handle(id);
}

Var Tape::rows(Var x, Index begin, Index count, Where where) {
  const std::uint32_t id = check(x, "rows", where);
  const Value& v = values_[id];
  const Index extent = v.shape.rank() == 0 ? 0 : v.shape[0];
  if (begin < 0 || count < 0 || begin > extent - count)
    fail("rows",
         fmt::format(
             "{} rows from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), extent),
         where);
  if (v.shape.rank() == 1) return add_view(id, Shape{count}, count, begin);
  const Index rows_each = extent == 0 ? 0 : v.shape.rows() / extent;
  return add_view(id, v.shape.with(0, count), v.stride, begin * rows_each * v.stride);
}

Var Tape::columns(Var x, Index begin, Index count, Where where) {
  const std::uint32_t id = check(x, "columns", where);
  const Value& v = values_[id];
  if (v.shape.rank() == 0 || begin < 0 || count < 0 || begin > v.shape.cols() - count)
    fail("columns",
         fmt::format(
             "{} columns from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), v.shape.rank() == 0 ? 0 : v.shape.cols()),
         where);
  return add_view(id, v.shape.with(-1, count), v.stride, begin);
}

Var Tape::reshape(Var x, const Shape& shape, Where where) {
  const std::uint32_t id = check(x, "reshape", where);
  const Value& v = values_[id];
  if (shape.size() != v.shape.size())
    fail("reshape",
         fmt::format("{} elements of shape {} came for shape {}; needed {}", v.shape.size(),
                     to_string(v.shape), to_string(shape), shape.size()),
         where);
  if (v.stride == v.shape.cols() || v.shape.rows() <= 1) return add_view(id, shape, shape.cols(), 0);
  if (shape.cols() == v.shape.cols()) return add_view(id, shape, v.stride, 0);
  fail("reshape",
       fmt::format("a slice of columns of shape {} came for shape {}; needed the same number of columns, "
                   "or a copy (concat) first",
                   to_string(v.shape), to_string(shape)),
       where);
}

Var Tape::stop_gradient(Var x, Where where) {
  const Value v = values_[check(x, "stop_gradient", where)];
  const std::uint32_t id = add_root(v.shape, v.data, false);
  values_[id].stride = v.stride;
  values_[v.root].read = true;
  return handle(id);
}

Var Tape::open(Var x, Where where) {
  const std::uint32_t id = check(x, "open", where);
  const Value v = values_[id];
  const bool own_numbers = v.node != kNone && v.root == id && !nodes_[v.node].table->reads_output;
  if (!own_numbers || v.read || v.keeps_gradient || v.opened_at || nodes_[v.node].hooked) return {};
  values_[id].opened_at = static_cast<std::uint32_t>(values_.size());
  return add_view(id, v.shape, v.stride, 0);
}

Var Tape::join(std::span<const Var> pieces, Where where) {
  if (pieces.empty()) return {};
  const std::uint32_t first = check(pieces.front(), "join", where);
  const std::uint32_t last = check(pieces.back(), "join", where);
  const Index cols = values_[first].shape.cols();
  Index rows = 0;
  bool wants = false, keeps = false;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::uint32_t id = check(pieces[i], "join", where);
    const Value& v = values_[id];
    const bool in_order = i == 0 || (first < last ? pieces[i - 1].index_ < id : pieces[i - 1].index_ > id);
    if (!in_order || v.root != id || v.node == kNone || v.opened_at || v.shape.rank() != 2 ||
        v.shape.cols() != cols)
      return {};
    rows += v.shape.rows();
    wants = wants || v.wants_gradient;
    keeps = keeps || v.keeps_gradient;
  }
  std::byte* memory = arena_.allocate(static_cast<std::size_t>(rows * cols) * size_of(dtype_));
  const std::uint32_t whole = add_root(Shape{rows, cols}, memory, wants);
  values_[whole].keeps_gradient = keeps;
  values_[whole].read = true;
  // Its gradient is complete when backward comes to the piece that was made first.
  values_[whole].node = values_[std::min(first, last)].node;
  Index offset = 0;
  auto move = [&](Value& v, Index to) {
    v.root = whole;
    v.offset = to;
    v.data = memory + to * static_cast<Index>(size_of(dtype_));
  };
  for (Var piece : pieces) {
    Value& v = values_[piece.index_];
    const auto bytes = static_cast<std::size_t>(v.shape.size()) * size_of(dtype_);
    const std::byte* from = v.data;
    move(v, offset);
    std::memcpy(v.data, from, bytes);
    offset += v.shape.size();
  }
  for (std::uint32_t id = std::min(first, last); id < whole; ++id) {  // the views of pieces
    const Value& old_root = values_[values_[id].root];
    if (old_root.root != values_[id].root) move(values_[id], values_[id].offset + old_root.offset);
  }
  return handle(whole);
}

void Tape::reject_opened(std::string_view op, Where where) const {
  fail(
      op,
      "a value came whose memory was given to a recurrence for overwriting; needed its use inside the cell's "
      "step, or a copy made before",
      where);
}

// -- Recording.

std::uint32_t Tape::begin_node(const OpTable* table, const void* op, std::span<const Var> inputs,
                               std::span<const Shape> outputs, int aliased, int deferred, bool wants,
                               Where where) {
  if (gradients_) fail(table->name(op), "an op came while backward runs; needed it before or after", where);
  auto* ids = static_cast<std::uint32_t*>(
      arena_.allocate_record(inputs.size() * sizeof(std::uint32_t), alignof(std::uint32_t)));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint32_t id = inputs[i].index_;
    Value& root = values_[values_[id].root];
    root.read = root.read || static_cast<int>(i) != aliased;
    wants = wants || values_[id].wants_gradient;
    ids[i] = id;
  }
  wants = wants && records_gradients();
  if (deferred >= 0) {
    ++values_[ids[deferred]].uses;
    if (wants)
      ++values_[ids[deferred]].pending;
    else
      deferred = -1;
  }

  const auto index = static_cast<std::uint32_t>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.table = table;
  node.op = op;
  node.inputs = ids;
  node.input_count = static_cast<std::uint32_t>(inputs.size());
  node.output_count = static_cast<std::uint32_t>(outputs.size());
  node.first_output = static_cast<std::uint32_t>(values_.size());
  node.scope = static_cast<std::uint32_t>(scope_);
  node.step = static_cast<std::int32_t>(step_);
  node.deferred = deferred;
  node.where = where;
  node.wants_gradient = wants;
  for (const Shape& shape : outputs) {
    std::uint32_t id;
    if (aliased >= 0) {
      id = add_view(ids[aliased], shape, values_[ids[aliased]].stride, 0).index_;
      values_[id].wants_gradient = wants;
      values_[id].zero = false;
    } else {
      id = add_root(shape, arena_.allocate(static_cast<std::size_t>(shape.size()) * size_of(dtype_)), wants);
    }
    values_[id].node = index;
  }
  return index;
}

// -- Passes without backward, and passes that are run again.

Tape::Frame::Frame(Tape& tape)
    : tape_(tape), values_(tape.values_.size()), nodes_(tape.nodes_.size()), mark_(tape.arena_.mark()) {}

Tape::Frame::~Frame() {
  tape_.values_.resize(values_);
  tape_.nodes_.resize(nodes_);
  tape_.arena_.rewind(mark_);
}

void Tape::replay(std::size_t begin, std::size_t end) {
  for (std::size_t n = begin; n < end; ++n) run_forward(static_cast<std::uint32_t>(n));
}

void Tape::clear() {
  if (gradients_) fail("clear", "a call came while backward runs; needed it before or after");
  ++pass_;
  observed_ = false;
  arena_.clear();
  lasting_.clear();
  pool_.clear();
  values_.clear();
  nodes_.clear();
  pairs_.clear();
  hooks_.clear();
  bound_count_ = 0;
  consumed_ = {};
}

void Tape::poison(bool on) {
  poisoned_ = on;
  arena_.poison(on);
  lasting_.poison(on);
  pool_.poison(on);
}

// -- Scopes.

Tape::Scope Tape::scope(std::string_view name) {
  for (std::size_t i = 0; i < scopes_.size(); ++i)
    if (scopes_[i].parent == scope_ && scopes_[i].name == name)
      return Scope(scope_, static_cast<std::int64_t>(i));
  scopes_.push_back({std::string(name), scope_});
  return Scope(scope_, static_cast<std::int64_t>(scopes_.size() - 1));
}

std::string Tape::scope_path(std::uint32_t scope) const {
  std::string path;
  for (std::int64_t s = scope == kNone ? -1 : static_cast<std::int64_t>(scope); s >= 0;
       s = scopes_[static_cast<std::size_t>(s)].parent)
    path = path.empty() ? scopes_[static_cast<std::size_t>(s)].name
                        : scopes_[static_cast<std::size_t>(s)].name + "." + path;
  return path;
}

}  // namespace unroll::autograd
