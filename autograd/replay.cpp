#include "autograd/replay.h"

#include <utility>

#include "autograd/op.h"

namespace unroll::autograd {

Tape::Frame::Frame(Tape& tape)
    : tape_(tape),
      values_(tape.values_.size()),
      roots_(tape.roots_.size()),
      nodes_(tape.nodes_.size()),
      leaves_(tape.leaves_.size()),
      operands_(tape.operands_.size()),
      around_(std::exchange(tape.framed_, values_)),
      mark_(tape.arena_.mark()) {}

// What is known of values from before it stays.
Tape::Frame::~Frame() {
  for (std::size_t i = operands_; i < tape_.operands_.size(); ++i) {
    const Operand& factor = tape_.operands_[i];
    if (factor.value >= values_) continue;
    tape_.operands_[operands_++] = factor;
    tape_.values_[factor.value].operand = static_cast<std::uint32_t>(operands_);
  }
  tape_.operands_.shrink(operands_);
  tape_.values_.shrink(values_);
  tape_.roots_.shrink(roots_);
  tape_.nodes_.shrink(nodes_);
  tape_.leaves_.shrink(leaves_);
  tape_.framed_ = around_;
  tape_.spare_ = {};
  tape_.arena_.rewind(mark_);
}

Tape::Replay Tape::replay(std::size_t begin, std::size_t end) {
  Replay replay;
  replay.tape_ = this;
  for (std::size_t n = begin; n < end; ++n) {
    replay.calls_.push_back(nodes_[n].table->prepare(*this, nodes_[n]));
    replay.keeps_ |= replay.calls_.back().keeps;
  }
  return replay;
}

void Tape::Replay::operator()() const {
  if (tape_->consumed())
    fail("replay", "nodes of a tape came that backward has consumed; needed a pass without backward");
  const Arena::Mark mark = tape_->arena_.mark();
  for (const Call& call : calls_) call.run(call.state);
  if (keeps_) tape_->arena_.rewind(mark);
}

}  // namespace unroll::autograd
