// What flows back through time: the gradient of every state of every recurrence of a pass.
//
//   inspect::Flow flow;
//   {
//     const auto attached = tape.attach(flow);
//     ... loss ...
//     tape.backward(loss, gradients);
//   }
//   for (const inspect::Recurrence& r : flow.recurrences())
//     fmt::print("{} at step 0: {}\n", r.path, r.fields[0].gradient[0].norm);
//
// Nothing of the pass is kept for it: a state is summed up when it has been computed, and its gradient when
// it is complete, just before backward takes it on.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Observer;
using autograd::Phase;
using autograd::Step;
using autograd::Tape;

/// Sums over some numbers, in f64; 0 of none.
struct Summary {
  double norm = 0;     // Euclidean
  double mean = 0;     // of absolute values
  double largest = 0;  // absolute value; NaN if one is
  double zeros = 0;    // share of them that are 0, of 1
  bool operator==(const Summary&) const = default;
};
/// Of a value on a tape, and of its gradient where that is complete.
Summary summary_of(const Tape& tape, std::uint32_t value);
Summary summary_of_gradient(const Tape& tape, std::uint32_t value);

/// One field of a recurrence's state, such as h or c of an LSTM, by time step.
struct FieldFlow {
  std::vector<Summary> state;
  std::vector<Summary> gradient;  // dL/dstate by all its later uses; 0 where none reached it
};

/// One scan.
struct Recurrence {
  std::string path;  // of the module, as in Tape::scope_path
  bool reverse;
  std::vector<Index> rows;  // by time step: the sequences that have it
  std::vector<FieldFlow> fields;
};

/// Records the passes that run on a tape while it is attached, with their recomputed segments, where states
/// are met in backward. Passes without gradients are not recorded. One Flow a tape.
class Flow : public Observer {
 public:
  /// In the order in which their first step was seen.
  const std::vector<Recurrence>& recurrences() const { return recurrences_; }
  /// Forgets all.
  void clear();

  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void step(Tape& tape, const Step& step) override;
  void state(Tape& tape, std::span<const Var> fields) override;

 private:
  // A state whose gradient is awaited.
  struct Awaited {
    std::size_t recurrence, field, step;
    std::uint32_t value;
    std::uint32_t next;  // of the same node
  };
  // Those of one tape, in lists by node.
  struct Awaiting {
    const Tape* tape;
    std::vector<std::uint32_t> first;  // by node
    std::vector<Awaited> all;
  };
  Awaiting& awaiting(const Tape& tape);
  void forget_from(Awaiting& here, std::uint32_t node);

  std::vector<Recurrence> recurrences_;
  std::unordered_map<const void*, std::size_t> index_;  // of Step::recurrence
  std::vector<Awaiting> awaiting_;
  std::size_t current_ = 0;  // the recurrence that takes a step
};

/// An array with an entry for each field of each recurrence.
void to_json(nlohmann::json& json, const Flow& flow);

}  // namespace unroll::inspect
