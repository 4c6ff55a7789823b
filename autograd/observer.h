// Whoever wants to see a pass as it happens. What autograd/inspect shows is seen through this.
#pragma once
#include <cstdint>
#include <span>

#include "autograd/var.h"

namespace unroll::autograd {

/// What a node is doing: computing its outputs; adding to the gradients of its inputs, those of its outputs
/// being complete; or multiplying the products that were put off for the gradient of one of its inputs, with
/// those of all nodes before it (Backward::defer).
enum class Phase { forward, backward, deferred };
constexpr const char* name_of(Phase phase) {
  return phase == Phase::forward ? "forward" : phase == Phase::backward ? "backward" : "deferred";
}

/// A time step of a recurrence.
struct Step {
  const void* recurrence;       // the same for all steps of one scan, another for every other of the pass
  bool reverse;                 // whether it goes from the last step to the first
  bool first;                   // in this order
  std::span<const Var> before;  // the state that it begins with, field by field
};

/// Told of a tape, and of the inner tapes of its recomputed parts, while a Tape::Attachment lives. It may
/// read the tape, not record on it. The nodes of a tape run one after the other, those of an inner tape
/// within the one that recomputes. Nodes that no gradient reaches are not told of in backward.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(Tape&, std::uint32_t /*node*/, Phase) {}
  virtual void end(Tape&, std::uint32_t /*node*/, Phase) {}
  /// A recurrence is about to take the time step that the tape is at; what is recorded from here to state()
  /// is the step.
  virtual void step(Tape&, const Step&) {}
  /// The state of a recurrence after the time step that the tape is at.
  virtual void state(Tape&, std::span<const Var> /*fields*/) {}
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Observer;
}
