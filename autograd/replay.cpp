#include "autograd/replay.h"

#include "autograd/op.h"

namespace unroll::autograd {

Replay::Replay(Tape& tape, std::size_t begin, std::size_t end) : tape_(&tape) {
  for (std::size_t n = begin; n < end; ++n) {
    calls_.push_back(tape.nodes()[n].table->prepare(tape, tape.nodes()[n]));
    keeps_ |= calls_.back().keeps;
  }
}

void Replay::operator()() const {
  if (tape_->consumed())
    fail("replay", "nodes of a tape came that backward has consumed; needed a pass without backward");
  if (const std::uint64_t now = Parameter::changes(); now != changes_) [[unlikely]] {
    tape_->expect_unchanged("replay", {});
    changes_ = now;
  }
  const Arena::Mark mark = tape_->arena().mark();
  for (const Call& call : calls_) call.run(call.state);
  if (keeps_) tape_->arena().rewind(mark);
}

}  // namespace unroll::autograd
