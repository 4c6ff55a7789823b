#include "autograd/transient.h"

namespace unroll::autograd {

Transient::Transient(Tape& tape)
    : pass_(tape),
      held_{tape.records().values.size(), ++pass_.stamps_, pass_.held_},
      buffers_(tape.records().buffers.size()),
      nodes_(tape.records().nodes.size()),
      provenances_(tape.records().provenances.size()),
      operands_(tape.records().operands.size()),
      mark_(tape.arena().mark()) {
  pass_.held_ = &held_;
}

// What is known of values from before it stays.
Transient::~Transient() {
  Records& records = pass_.records();
  for (std::size_t i = operands_; i < records.operands.size(); ++i) {
    const Operand& factor = records.operands[i];
    if (factor.value >= held_.begin) continue;
    records.operands[operands_++] = factor;
    records.values[factor.value].operand = static_cast<std::uint32_t>(operands_);
  }
  records.operands.shrink(operands_);
  records.values.shrink(held_.begin);
  records.buffers.shrink(buffers_);
  records.nodes.shrink(nodes_);
  records.provenances.shrink(provenances_);
  pass_.held_ = held_.around;
  pass_.storage().forget_spare();
  pass_.arena().rewind(mark_);
}

HandleScope::HandleScope(Tape& tape)
    : pass_(tape), held_{tape.records().values.size(), ++pass_.stamps_, pass_.held_} {
  pass_.held_ = &held_;
}

Var HandleScope::keep(Var x) const {
  const std::uint32_t id = pass_.check(x, "state", {});
  if (id < held_.begin) return x;
  return pass_.handle_around(id, held_);
}

}  // namespace unroll::autograd
