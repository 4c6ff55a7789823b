// What the steps of a scan give, gathered into packed rows.
#pragma once
#include <algorithm>
#include <span>

#include "autograd/gathered_rows.h"
#include "nn/steps.h"

namespace unroll::nn::detail {

/// One Var of every state of a range of steps, in packed rows. Each moves there when its step is done
/// (GatheredRows), so that it takes memory once; where that cannot be, they are copied at the end.
class StepOutputs {
 public:
  StepOutputs(Tape& tape, const Layout& layout, const StepRange& range);
  /// The outputs of step t.
  void add(Var output, Index t);
  /// After the last step.
  Var value() const;

 private:
  const Layout& layout_;
  Index begin_, rows_;     // packed rows of the range
  Index first_;            // its first step
  std::span<Var> pieces_;  // by time step
  autograd::GatheredRows gathered_;
  bool moved_;  // as long as all can be
};

}  // namespace unroll::nn::detail
