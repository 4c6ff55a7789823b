#include "autograd/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "autograd/op.h"

namespace unroll::autograd {

Pass::Pass(DType dtype, Dry dry) : dtype_(dtype), records_(dtype), storage_(dry) {}

Pass::~Pass() = default;

Tape* Pass::self() { return static_cast<Tape*>(this); }

// -- Handles that are refused.

void Pass::reject(Var x, const char* op, SourceLocation location) const {
  if (!x.tape_) fail(op, "an empty handle came; needed one that an op or a tape gave", location);
  if (x.tape_ != this)
    fail(op,
         "a handle of another tape came; needed one tape for all operands. Where it is what a cell reads "
         "beside its "
         "input and state, list it in side_inputs() (nn/side_inputs.h)",
         location);
  if (!lives(x.index_, x.stamp_)) x.reject_stale(op, location);
  fail(
      op,
      "a value came whose memory was given to a recurrence for overwriting; needed its use inside the cell's "
      "step, or a copy made before",
      location);
}

void Pass::reject_overwritten(const char* op, SourceLocation location) {
  fail(op,
       "a value came whose memory backward gave to its gradient; needed its use before backward, or "
       "keep_values() of the tape",
       location);
}

void Pass::expect_unchanged(const char* op, SourceLocation location) const {
  const auto expect = [&](const Parameter::Leaf& p, std::uint64_t version, const Parameter* owner) {
    if (p.version == version && p.owner == owner) [[likely]]
      return;
    const std::string at =
        p.changed_at.line > 0 ? fmt::format(" ({}:{})", p.changed_at.file, p.changed_at.line) : std::string();
    fail(op,
         !p.alive
             ? fmt::format("'{}' has died since this tape read it; needed its model to live as long as the "
                           "pass",
                           p.name)
         : p.version != version
             ? fmt::format("'{}' was changed by {}{} after this tape read it; needed it as it was, or a new "
                           "pass: clear() and compute again",
                           p.name, p.changed_by, at)
             : fmt::format(
                   "'{}' was moved since this tape read it; needed its model where it was, as steps are "
                   "computed again in backward",
                   p.name),
         location);
  };
  for (const Provenance& from : records_.provenances)
    if (from.parameter) expect(*from.parameter, from.version, from.parameter->owner);
  for (const ReadAgain& read : read_again_) expect(*read.leaf, read.version, read.owner);
}

void Pass::reads_again(const Pass& part) {
  if (!records_gradients()) return;
  for (const Provenance& from : part.records_.provenances) {
    const Parameter::Leaf* leaf = from.parameter;
    if (leaf && std::ranges::find(read_again_, leaf, [](const ReadAgain& r) { return r.leaf.get(); }) ==
                    read_again_.end())
      read_again_.push_back({leaf->shared_from_this(), from.version, leaf->owner});
  }
}

// -- Donated values and their readers.

Var Pass::donate(Var x, SourceLocation location) {
  const Value& v = records_.values[check(x, "donate", location)];
  const bool needed = v.node == kNone || v.view || records_.nodes[v.node].table->reads_outputs != 0;
  if (Buffer& buffer = records_.buffer(v); !needed && !buffer.used) buffer.happens(Event::donate);
  return x;
}

Var Pass::donate_to_ops(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "donate", location);
  const Value v = records_.values[id];
  if (v.node == kNone || v.view || records_.nodes[v.node].table->reads_outputs != 0) return {};
  if (buffer(v).used || buffer(v).keeps_gradient) return {};
  donate(x, location);
  for (std::size_t i = id; i < records_.values.size(); ++i)
    if (records_.values[i].buffer == v.buffer) records_.values[i].closed = true;
  records_.add_view(id, v.stride, 0);
  return last();
}

// Some node has these bytes as an input. A second one would read values where the first one's gradients are.
void Pass::note_reader(Buffer& buffer, ByteRange range) {
  if (range.empty()) return;
  if (buffer.reading == 0) {
    records_.readings.add() = range;
    buffer.reading = static_cast<std::uint32_t>(records_.readings.size());
    return;
  }
  ByteRange& read = records_.readings[buffer.reading - 1];
  if (range.begin >= read.end)
    read.end = range.end;
  else if (range.end <= read.begin)
    read.begin = range.begin;
  else
    buffer.happens(Event::share);
}

// Inputs of a node that lie side by side, or one after the other, are one use: so the gradient need not move
// out between one input and the next.
void Pass::note_readers(const OpTable& table, std::span<const std::uint32_t> ids, int aliased) {
  const Value* last = nullptr;
  ByteRange read;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Value& v = records_.values[ids[i]];
    Buffer& buffer = records_.buffer(v);
    if (!buffer.donated() || static_cast<int>(i) == aliased) continue;
    if (!table.reads_first && (table.reads_inputs >> std::min<std::size_t>(i, 31) & 1))
      buffer.happens(Event::share);
    const Index from = records_.begin(v);
    if (last && last->buffer == v.buffer) {
      const bool beside = v.data == last->data + last->shape.cols() * static_cast<Index>(size_of(dtype_)) &&
                          v.stride == last->stride && v.shape.rows() == last->shape.rows();
      if (!beside && from != read.end) buffer.happens(Event::share);
    } else {
      if (last) note_reader(records_.buffer(*last), read);
      read.begin = from;
    }
    read.end = records_.end(v);
    last = &v;
  }
  if (last) note_reader(records_.buffer(*last), read);
}

// -- Recording.

// Flattened, as the calls are a large part of what a small node costs.
[[gnu::flatten]] std::uint32_t Pass::begin_node(const OpTable* table, const void* op,
                                                std::span<const Var> inputs, std::span<const Shape> outputs,
                                                int aliased, int deferred, bool wants,
                                                SourceLocation location) {
  if (context_.walking) [[unlikely]]
    fail(table->name(op), "an op came while backward runs; needed it before or after", location);
  auto* ids = static_cast<std::uint32_t*>(
      arena().allocate_record(inputs.size() * sizeof(std::uint32_t), alignof(std::uint32_t)));
  bool donated = false, overwritten = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint32_t id = ids[i] = inputs[i].index_;
    const Value& v = records_.values[id];
    Buffer& buffer = records_.buffer(v);
    const bool reads = static_cast<int>(i) != aliased;
    buffer.used = buffer.used || reads;
    donated = donated || (reads && buffer.donated());
    overwritten = overwritten || buffer.overwritten();
    wants = wants || v.wants_gradient;
  }
  if (overwritten) [[unlikely]]
    reject_overwritten(table->name(op), location);
  wants = wants && records_gradients();
  // What wants no gradient reads now, and not in backward.
  if (donated && wants && !consumed()) note_readers(*table, {ids, inputs.size()}, aliased);
  if (deferred >= 0) {
    Operand& factor = records_.operand(ids[deferred]);
    ++factor.uses;
    if (wants)
      ++factor.pending;
    else
      deferred = -1;
  }

  const auto index = static_cast<std::uint32_t>(records_.nodes.size());
  Node& node = records_.nodes.add();
  node.table = table;
  node.op = op;
  node.inputs = ids;
  node.location = location;
  node.input_count = static_cast<std::uint32_t>(inputs.size());
  node.first_output = static_cast<std::uint32_t>(records_.values.size());
  node.scope = context_.current_scope();
  node.recurrence = static_cast<std::uint32_t>(context_.time >> 32);
  node.step = static_cast<std::int32_t>(context_.time);
  node.output_count = static_cast<std::uint8_t>(outputs.size());
  node.deferred = static_cast<std::int8_t>(deferred);
  node.wants_gradient = wants;
  try {
    for (const Shape& shape : outputs) {
      if (aliased >= 0)
        records_.add_view(ids[aliased], records_.values[ids[aliased]].stride, 0).shape = shape;
      else
        records_.add_value(shape, storage_.output(static_cast<std::size_t>(shape.size()) * size_of(dtype_)),
                           wants);
      Value& v = records_.values.back();
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
void Pass::reject_outputs(std::uint32_t node, const Shape& shape) {
  const Node n = records_.nodes[node];
  for (; records_.values.size() > n.first_output; records_.values.shrink(records_.values.size() - 1))
    if (!records_.values.back().view) records_.buffers.shrink(records_.buffers.size() - 1);
  if (n.deferred >= 0) --records_.operand(n.inputs[n.deferred]).pending;
  records_.nodes.shrink(node);
  fail(n.table->name(n.op),
       fmt::format("an output of shape {} came; needed one that there is memory for", to_string(shape)),
       n.location);
}

// That of the other copy in backward, but once: where both are needed, each is made once more at most.
std::byte* Pass::packed_memory(Operand& factor, int which, std::size_t bytes) {
  const int other = 1 - which;
  factor.packed_bytes[which] = bytes;
  if (!consumed() || factor.took_over || !factor.packed[other] || factor.packed_bytes[other] < bytes)
    return (is_held(factor.value) ? storage_.arena() : storage_.lasting()).allocate(bytes);
  factor.took_over = true;
  return std::exchange(factor.packed[other], nullptr);
}

std::size_t Pass::memory() const {
  std::size_t total = storage_.reserved();
  for (const auto& part : parts_)
    if (part) total += part->memory();
  return total;
}

// -- Passes within this one.

Tape& Pass::make_part(std::size_t number, std::uint32_t scope, bool own_thread) {
  if (parts_.size() <= number) parts_.resize(number + 1);
  if (!parts_[number]) parts_[number] = std::make_unique<Tape>(dtype_, dry() ? Dry::yes : Dry::no);
  Tape& part = *parts_[number];
  part.is_part_ = true;
  context_.lend_to(part.context_, scope, own_thread);
  part.poison(poisoned());
  return part;
}

Tape& Pass::shared_part(std::uint32_t scope) { return make_part(0, scope, false); }

std::size_t Pass::new_parts(std::size_t count) {
  const std::size_t first = parts_in_use_;
  for (std::size_t i = first; i < first + count; ++i)
    make_part(i, context_.current_scope(), context_.observers->empty());
  if (records_gradients()) parts_in_use_ = first + count;
  return first;
}

}  // namespace unroll::autograd
