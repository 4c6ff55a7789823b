#include "autograd/records.h"

namespace unroll::autograd {

std::uint32_t Records::add_leaf(const Shape& shape, std::byte* data, SourceLocation location,
                                std::uint32_t of) {
  const std::uint32_t id = add_value(shape, data, false);
  provenances.add() = {location, of, nullptr, 0, nullptr, values[id].buffer};
  buffers.back().provenance = static_cast<std::uint32_t>(provenances.size());
  return id;
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
  readings.clear();
  operands.clear();
}

}  // namespace unroll::autograd
