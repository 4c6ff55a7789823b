// What a pass is written down in: plain records, in a table for each kind.
#pragma once
#include <cstdint>

#include "autograd/buffer.h"
#include "autograd/memory/table.h"
#include "autograd/parameter.h"
#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"

namespace unroll::autograd {

struct OpTable;

inline constexpr std::uint32_t kNone = ~std::uint32_t{0};

/// A place in memory with a shape. One cache line, as is a node: a pass has many.
struct alignas(64) Value {
  std::byte* data;
  Shape shape;
  std::int32_t stride;    // elements from one row to the next
  std::uint32_t buffer;   // the memory that it is, or is a part of
  std::uint32_t node;     // that made it; kNone for leaves
  std::uint32_t operand;  // what products know of it: position + 1 in the table of operands, or 0
  bool wants_gradient;
  bool view;    // of memory that another value brought
  bool closed;  // its memory was given to ops that overwrite it: see Tape::donate
  bool zero;    // a constant known to be zero everywhere
};

/// One application of an op.
struct alignas(64) Node {
  const OpTable* table;
  const void* op;  // the op's plain struct, in the arena
  const std::uint32_t* inputs;
  SourceLocation location;
  std::uint32_t input_count;
  std::uint32_t first_output;
  std::uint32_t scope;       // in Tape::scopes(), or kNone
  std::uint32_t recurrence;  // that it is a step of, see Tape::new_recurrence; or kNone
  std::int32_t step;         // time step, -1 outside of recurrences
  std::uint8_t output_count;
  std::int8_t deferred;  // the input whose gradient it defers, or -1
  bool wants_gradient;
};

static_assert(sizeof(Value) == 64 && sizeof(Node) == 64);

/// Where a value comes from that no node made.
struct Provenance {
  SourceLocation location;           // line 0 if that is not known
  std::uint32_t of;                  // the value whose values it was given, or kNone
  const Parameter::Leaf* parameter;  // whose value it is, or nullptr; the tape keeps it
  std::uint64_t version;             // that it had then
  std::byte* lent;                   // memory for its gradient that somebody else gave, or nullptr
  std::uint32_t buffer;              // that it is the provenance of
};

/// A value that is a factor of products.
struct Operand {
  std::uint32_t value;
  std::uint32_t uses;     // nodes recorded that may defer a product for it
  std::uint32_t pending;  // those of them that want a gradient
  bool took_over;         // a packed copy has taken the memory of the other
  std::byte* packed[2];   // copies of the values in other layouts, see Pass::packed_copy
  std::size_t packed_bytes[2];
};

/// The tables of a pass.
class Records {
 public:
  explicit Records(DType dtype) : scalar_(static_cast<Index>(size_of(dtype))) {}

  Table<Value> values;
  Table<Buffer> buffers;
  Table<Node> nodes;
  Table<Provenance> provenances;
  Table<ByteRange> readings;
  Table<Operand> operands;

  /// A value with memory of its own; returns its position.
  std::uint32_t add_value(const Shape& shape, std::byte* data, bool wants_gradient);
  /// The same of one that no node made.
  std::uint32_t add_leaf(const Shape& shape, std::byte* data, SourceLocation location,
                         std::uint32_t of = kNone);
  /// A view inside value `of`, of the same shape; the caller changes that where it lies.
  Value& add_view(std::uint32_t of, Index stride, Index offset);

  const Buffer& buffer(const Value& v) const { return buffers[v.buffer]; }
  Buffer& buffer(const Value& v) { return buffers[v.buffer]; }
  const Buffer& buffer(std::uint32_t id) const { return buffers[values[id].buffer]; }
  Buffer& buffer(std::uint32_t id) { return buffers[values[id].buffer]; }
  /// nullptr for what a node made.
  const Provenance* provenance(const Buffer& b) const {
    return b.provenance > 0 ? &provenances[b.provenance - 1] : nullptr;
  }
  const Parameter::Leaf* parameter(const Buffer& b) const {
    return b.provenance > 0 ? provenances[b.provenance - 1].parameter : nullptr;
  }
  /// The bytes of its buffer that a value spans, with gaps if it is a slice of columns.
  ByteRange range(const Value& v) const { return {begin(v), begin(v) + span(v)}; }
  Index begin(const Value& v) const { return v.data - buffers[v.buffer].data; }
  Index end(const Value& v) const { return begin(v) + span(v); }

  /// What is known of a value as a factor of products; made when missing.
  const Operand* find_operand(std::uint32_t id) const {
    return values[id].operand > 0 ? &operands[values[id].operand - 1] : nullptr;
  }
  Operand& operand(std::uint32_t id) {
    const std::uint32_t known = values[id].operand;
    return known > 0 ? operands[known - 1] : add_operand(id);
  }

  void clear();

  /// Bytes from the first element of a value to its last.
  Index span(const Value& v) const {
    const Index rows = v.shape.rows(), cols = v.shape.cols();
    return rows == 0 || cols == 0 ? 0 : ((rows - 1) * v.stride + cols) * scalar_;
  }

 private:
  Operand& add_operand(std::uint32_t id);

  Index scalar_;  // bytes of an element
};

// Inline, as they are a large part of what a small node costs.

inline std::uint32_t Records::add_value(const Shape& shape, std::byte* data, bool wants_gradient) {
  const auto id = static_cast<std::uint32_t>(values.size());
  Value& v = values.add();
  v.data = data;
  v.shape = shape;
  v.stride = static_cast<std::int32_t>(shape.cols());
  v.buffer = static_cast<std::uint32_t>(buffers.size());
  v.node = kNone;
  v.operand = 0;
  v.wants_gradient = wants_gradient;
  v.view = v.closed = v.zero = false;
  Buffer& b = buffers.add();
  b.data = data;
  b.bytes = shape.size() * scalar_;
  b.value = id;
  b.provenance = b.reading = 0;
  b.values = Values::kept;
  b.used = b.keeps_gradient = b.viewed = b.shared = b.gathers = false;
  b.gradient = {};
  return id;
}

inline Value& Records::add_view(std::uint32_t of, Index stride, Index offset) {
  Value& v = values.add();
  const Value& base = values[of];
  v.data = base.data + offset * scalar_;
  v.shape = base.shape;
  v.stride = static_cast<std::int32_t>(stride);
  v.buffer = base.buffer;
  v.node = base.node;
  v.operand = 0;
  v.wants_gradient = base.wants_gradient;
  v.view = true;
  v.closed = false;
  v.zero = base.zero;
  buffers[v.buffer].viewed = true;
  return v;
}

}  // namespace unroll::autograd
