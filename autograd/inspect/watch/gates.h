// How often the gates of a cell are at their ends, where no gradient passes.
#pragma once
#include <string>
#include <vector>

#include "autograd/op.h"

namespace unroll::inspect {

using autograd::Index;

/// A call of sigmoid, tanh or relu in a pointwise lambda of a cell's step. By time step, the shares of its
/// values near the two ends: of sigmoid below 0.1 and above 0.9, of tanh below -0.9 and above 0.9, of relu at
/// 0. NaN where a step has no such gate, or was not looked at.
struct Gate {
  /// As the author of the lambda named it, sigmoid(x, "forget"); else op, function and operands, counted from
  /// 1: "mgu tanh(2)"; of an op that is the function, its name. A number is added for others of the name.
  std::string name;
  std::vector<double> low, high;
  std::vector<Index> count;  // of elements looked at: of so many of a step these are the shares
};

/// Finds the gates of a recurrence again from step to step.
class GateFinder {
 public:
  void begin_step();
  /// What was seen next in the step, in an op with this label. `gates` are always those of one recurrence.
  void add(std::vector<Gate>& gates, std::size_t step, const char* label, const autograd::Saturation& found);

 private:
  // Of equal ones in a step, each is what it was in other steps by its place among them.
  struct Key {
    const char *label, *function, *name;
    unsigned operands;
    bool operator==(const Key&) const = default;
  };
  Gate& gate_of(std::vector<Gate>& gates, const Key& key);

  std::vector<Key> keys_;   // of each gate
  std::vector<bool> seen_;  // in this step
  std::size_t place_ = 0;   // where the next one is likely to be
};

}  // namespace unroll::inspect
