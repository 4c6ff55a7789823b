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
//    "note": sentence,                                 About::note
//    "graph": {...},                                   inspect/graph.h, in full: one cell step is one box
//    "flow": [{...}],                                  inspect/flow.h
//    "parameters": [{"path", "shape", "norm", "gradient_norm", "largest", "zeros"}],
//    "profile": {...}, "memory": {...},                inspect/profile.h, inspect/memory.h
//    "origin": {...},                                  inspect/origin.h
//    "history": {...}}                                 inspect/history.h
//
// "bytes" are those in use at the peak where memory was watched, otherwise those that the tape holds. Numbers
// that are not finite are null.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "autograd/inspect/watch/flow.h"
#include "autograd/inspect/watch/history.h"
#include "autograd/inspect/watch/memory.h"
#include "autograd/inspect/watch/origin.h"
#include "autograd/inspect/watch/profile.h"
#include "autograd/parameter.h"
#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Gradients;
using autograd::NamedParameter;
using autograd::SourceLocation;

/// What a tape does not know.
struct About {
  std::string title = "One pass";
  std::optional<double> loss = {};  // otherwise what the last node computed, if that is one number
  // With their paths in a model; otherwise those that the tape read, under the module that did.
  std::vector<NamedParameter> parameters = {};
  const Gradients* gradients = nullptr;  // of the parameters
  const History* history = nullptr;      // of the run that the pass is of
  const Origin* origin = nullptr;        // of what is not finite; a Recorder finds it itself
  std::string note = {};                 // about the numbers, such as what part of a batch they are of
};

nlohmann::json report_of(const Tape& tape, const About& about = {});
/// Replaces the file at `path`, whole or not at all; throws Error if that cannot be.
void report(const Tape& tape, const std::string& path, const About& about = {},
            SourceLocation location = SourceLocation::current());

/// What is watched besides the flow of gradients and the gates.
struct Watching {
  bool jacobians = false;  // at the cost of many derivatives of each step
  bool origin = false;     // of what is not finite; at the cost of a walk over all numbers
  bool spans = false;      // the time of each node by itself, for write_trace (inspect/trace.h)
};
inline constexpr Watching everything{.jacobians = true, .origin = true};

/// Watches the passes of a tape, each from its beginning on, and tells of the one that runs or ran last.
class Recorder : private Observer {
 public:
  explicit Recorder(Tape& tape, const Watching& watching = {});
  /// Throw Error if the pass that was watched has been cleared from the tape.
  nlohmann::json report_of(const About& about = {},
                           SourceLocation location = SourceLocation::current()) const;
  void report(const std::string& path, const About& about = {},
              SourceLocation location = SourceLocation::current()) const;

  const Flow& flow() const { return flow_; }
  const Profile& profile() const { return profile_; }
  const Memory& memory() const { return memory_; }
  /// Where the first number of all passes was born that is not finite, if it was looked for and found.
  const std::optional<Origin>& origin() const { return origin_.origin(); }

 private:
  bool reads_values() const override { return watching_.origin; }
  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void end(Tape& tape, std::uint32_t node, Phase phase) override;
  void step(Tape& tape, const Step& step) override;
  void abandoned(Tape& tape, std::uint32_t node, Phase phase) override;
  void state(Tape& tape, std::span<const Var> fields) override;
  void meet(const Tape& tape);

  Tape& tape_;
  Watching watching_;
  std::optional<std::uint32_t> pass_;  // of the tape, that is told of
  Flow flow_;
  OriginWatch origin_;
  Memory memory_;
  Profile profile_;  // told last when a node begins and first when it ends: it does not time the others
  autograd::Attachment attached_;
};

}  // namespace unroll::inspect
