// What happened in one pass, as numbers and as a page to look at.
//
//   inspect::report(tape, "report.html");              after backward: what the tape alone can tell
//
//   inspect::Recorder recorder(tape);                  what is seen by those who are there
//   Var loss = cross_entropy(model(tape, ids, layout), labels);
//   tape.backward(loss, gradients);
//   recorder.report("report.html", {.parameters = parameters(model), .gradients = &gradients});
//
// A report is made before Tape::clear(). The page is one file that needs no network. What it shows is this
// JSON, without the parts that nobody saw:
//
//   {"title", "dtype",
//    "summary": {"loss", "parameters", "steps", "nodes", "values", "bytes"},
//    "findings": [sentence],                           inspect/findings.h
//    "graph": {"modules": [{"path", "type"}],          inspect/graph.h; one cell step is one box
//              "kinds": [{"op", "shape", "where", "bytes", "needs_gradient"}],
//              "boxes": [[module, [first step, last step] or null, bytes, [[node, kind, input...]],
//                         recurrence or null]],
//              "edges": [[from box, to box, count]]},
//    "flow": [{...}],                                  inspect/flow.h
//    "parameters": [{"path", "shape", "norm", "gradient_norm", "largest", "zeros"}],
//    "profile": {...}, "memory": {...},                inspect/profile.h, inspect/memory.h
//    "origin": {...},                                  inspect/origin.h
//    "history": {...}}                                 inspect/history.h
//
// Numbers that are not finite are null.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "autograd/inspect/flow.h"
#include "autograd/inspect/history.h"
#include "autograd/inspect/memory.h"
#include "autograd/inspect/origin.h"
#include "autograd/inspect/profile.h"
#include "autograd/parameter.h"
#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Gradients;
using autograd::NamedParameter;
using autograd::Where;

/// What a tape does not know.
struct About {
  std::string title = "One pass";
  std::optional<double> loss = {};  // otherwise what the last node computed, if that is one number
  std::vector<NamedParameter> parameters = {};  // with their paths in a model; otherwise those on the tape
  const Gradients* gradients = nullptr;         // of the parameters
  const History* history = nullptr;             // of the run that the pass is of
  const Origin* origin = nullptr;               // of what is not finite; a Recorder finds it itself
};

nlohmann::json report_of(const Tape& tape, const About& about = {});
/// Replaces the file at `path`, whole or not at all; throws Error if that cannot be.
void report(const Tape& tape, const std::string& path, const About& about = {}, Where where = Where::here());

/// What is watched besides the flow of gradients and the gates.
struct Watching {
  bool jacobians = false;  // at the cost of many derivatives of each step
  bool origin = false;     // of what is not finite; at the cost of a walk over all numbers
};
inline constexpr Watching everything{.jacobians = true, .origin = true};

/// Watches one pass of a tape from its beginning on.
class Recorder {
 public:
  explicit Recorder(Tape& tape, const Watching& watching = {});
  nlohmann::json report_of(const About& about = {}) const;
  void report(const std::string& path, const About& about = {}, Where where = Where::here()) const;
  /// Where the first number was born that is not finite, if it was looked for and found.
  const std::optional<Origin>& origin() const { return origin_.origin(); }

 private:
  Tape& tape_;
  Flow flow_;
  OriginWatch origin_;
  Memory memory_;
  Profile profile_;  // told last when a node begins and first when it ends: it does not time the others
  std::optional<Tape::Attachment> flow_attached_, origin_attached_, memory_attached_, profile_attached_;
};

}  // namespace unroll::inspect
