#include "autograd/records.h"

namespace unroll::autograd {

std::uint32_t Records::add_value(const Shape& shape, std::byte* data, bool wants_gradient) {
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
  b.read = {};
  b.value = id;
  b.provenance = 0;
  b.values = Values::kept;
  b.used = b.keeps_gradient = b.viewed = b.shared = b.gathers = false;
  return id;
}

std::uint32_t Records::add_leaf(const Shape& shape, std::byte* data, SourceLocation location,
                                std::uint32_t of) {
  const std::uint32_t id = add_value(shape, data, false);
  provenances.add() = {location, of, nullptr, 0, nullptr, values[id].buffer};
  buffers.back().provenance = static_cast<std::uint32_t>(provenances.size());
  return id;
}

Value& Records::add_view(std::uint32_t of, Index stride, Index offset) {
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

Operand& Records::add_operand(std::uint32_t id) {
  Operand& factor = operands.add();
  factor = {};
  factor.value = id;
  values[id].operand = static_cast<std::uint32_t>(operands.size());
  return factor;
}

void Records::clear() {
  values.clear();
  buffers.clear();
  nodes.clear();
  provenances.clear();
  operands.clear();
}

}  // namespace unroll::autograd
