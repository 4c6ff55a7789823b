#include "nn/step_outputs.h"

namespace unroll::nn::detail {

StepOutputs::StepOutputs(Tape& tape, const Layout& layout, const StepRange& range)
    : layout_(layout),
      begin_(layout.offset(range.begin)),
      rows_(layout.offset(range.end) - begin_),
      first_(range.begin),
      pieces_(handles(tape, range.size())),
      moved_(range.size() > 1) {}

void StepOutputs::add(Var output, Index t) {
  pieces_[static_cast<std::size_t>(t - first_)] = output;
  if (!moved_) return;
  if (!gathered_.defined()) {
    moved_ = autograd::GatheredRows::can_take(output);
    if (!moved_) return;
    gathered_ = {output.tape(), output.shape().with(0, rows_)};
  }
  moved_ = gathered_.take(output, layout_.offset(t) - begin_);
}

Var StepOutputs::value() const { return moved_ ? gathered_.value() : joined(pieces_); }

}  // namespace unroll::nn::detail
