// What flows back through time: the gradient of every state of every recurrence of a pass, the gates that it
// has to get through, and, when asked, the Jacobians that it is multiplied by.
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
// it is complete, just before backward takes it on. These sums are exact, over all elements. Gates are looked
// at in a sample, and wide Jacobians are estimated: see FlowOptions.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/inspect/figures/summary.h"
#include "autograd/inspect/watch/gates.h"
#include "autograd/inspect/watch/jacobian.h"
#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Observer;
using autograd::Phase;
using autograd::Step;

/// One field of a recurrence's state, such as h or c of an LSTM, by time step.
struct FieldFlow {
  std::vector<Summary> state;
  std::vector<Summary> gradient;  // dL/dstate by all its later uses; 0 where none reached it
};

/// One scan.
struct Recurrence {
  std::uint32_t number;  // in its pass: Node::recurrence
  std::string path;      // of the cell, as in Tape::scope_path
  std::string type;      // of the cell, such as "Lstm"; "" if it opened no scope
  Index layer;           // the last "layers.2" in the path; 0 if it has none
  bool reverse;
  std::vector<Index> rows;  // by time step: the sequences that have it
  std::vector<FieldFlow> fields;
  std::vector<Gate> gates;
  std::optional<Jacobian> jacobian;
};

struct FlowOptions {
  /// Elements of each node that are looked at for gates, spread evenly; 0 for no gates. Unless it is said, as
  /// many as cost a few percent of the work of a step, 256 at most; in small nets only some of the steps are
  /// looked at, every eighth at least.
  std::optional<Index> gate_elements = {};
  bool jacobians = false;  // at the cost of `exact` or 2 * `probes` derivatives of each step
  JacobianOptions jacobian{};
};

/// Records the passes that run on a tape while it is attached, with their recomputed segments, where states
/// are met in backward. Passes without gradients are not recorded. One Flow a tape.
class Flow : public Observer {
 public:
  explicit Flow(const FlowOptions& options = {}) : options_(options) {}
  /// In the order in which their first step was seen.
  const std::vector<Recurrence>& recurrences() const { return recurrences_; }
  /// Forgets all.
  void clear();

  bool reads_values() const override { return false; }  // in forward alone
  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void end(Tape& tape, std::uint32_t node, Phase phase) override;
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
    std::vector<std::size_t> walks;  // recurrences whose steps on this tape have not been gone back
  };
  // What is known of a recurrence while it runs.
  struct Running {
    GateFinder gates;
    double operations = 0;  // of a step with so many rows
    Index rows = 0;
    double elements = 0;     // that may be looked at and have not been
    std::size_t unseen = 0;  // steps since the last that was looked at
    std::unique_ptr<JacobianWalk> walk;
    std::vector<TakenStep> steps;
  };
  Index elements_of(Running& running) const;
  Awaiting& awaiting(const Tape& tape);
  void walk_back(Tape& tape, Awaiting& here);
  void forget_from(Awaiting& here, std::uint32_t node);

  FlowOptions options_;
  std::vector<Recurrence> recurrences_;
  std::vector<Running> running_;                          // of each
  std::unordered_map<std::uint32_t, std::size_t> index_;  // by number
  std::vector<Awaiting> awaiting_;
  const Tape* outer_ = nullptr;     // that is not within another one's node
  const Tape* stepping_ = nullptr;  // that is within a step
  std::size_t current_ = 0;         // the recurrence that takes it
  TakenStep step_;
  Index elements_ = 0;  // of its nodes that are looked at for gates
  std::vector<autograd::Saturation> found_;
  std::vector<const autograd::OpTable*> without_gates_;
};

/// An array with an entry for each field of each recurrence; gates and Jacobian stand with the first.
void to_json(nlohmann::json& json, const Flow& flow);

}  // namespace unroll::inspect
