#include "autograd/inspect/page/report.h"

#include <algorithm>
#include <unordered_set>

#include "autograd/inspect/figures/graph.h"
#include "autograd/inspect/figures/numbers.h"
#include "autograd/inspect/page/findings.h"
#include "autograd/inspect/page/page.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Node;
using autograd::Parameter;
using autograd::Value;
using nlohmann::json;

namespace {

struct Shown {
  std::string path;
  const Parameter::Leaf* leaf;
};

// In the order in which the pass read them; of a model that may be gone, so that their paths are those of the
// modules that did.
std::vector<Shown> read_by(const Tape& tape) {
  std::vector<Shown> list;
  std::unordered_set<const Parameter::Leaf*> seen;
  for (const Node& node : tape.nodes())
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      const Parameter::Leaf* leaf = tape.records().parameter(tape.buffer(node.inputs[i]));
      if (!leaf || !seen.insert(leaf).second) continue;
      const std::string module = tape.scope_path(node.scope);
      list.push_back({module.empty() ? leaf->name : module + "." + leaf->name, leaf});
    }
  return list;
}

std::vector<Shown> shown(const Tape& tape, const About& about) {
  if (about.parameters.empty()) return read_by(tape);
  std::vector<Shown> list;
  for (const auto& [path, parameter] : about.parameters) list.push_back({path, parameter->leaf().get()});
  return list;
}

json parameter_json(const std::string& path, const Parameter::Leaf& leaf, const Gradients* gradients) {
  json shape = json::array();
  for (int i = 0; i < leaf.value.shape().rank(); ++i) shape.push_back(leaf.value.shape()[i]);
  json p = {{"path", path}, {"shape", shape}, {"norm", number_json(summary_of(leaf.value).norm)}};
  if (!gradients) return p;
  const Gradients::Entry* entry = gradients->find(&leaf);
  const bool reached = entry && entry->state() != Gradients::Entry::State::none;
  const Summary gradient = reached ? summary_of(entry->buffer()) : Summary{.zeros = 1};
  p.update({{"gradient_norm", number_json(gradient.norm)},
            {"largest", number_json(gradient.largest)},
            {"zeros", gradient.zeros}});
  return p;
}

std::optional<double> last_number(const Tape& tape) {
  if (tape.nodes().empty()) return {};
  const Node& last = tape.nodes().back();
  const Value& v = tape.value(last.first_output);
  if (last.output_count != 1 || v.shape.size() != 1) return {};
  return autograd::dispatch(
      tape.dtype(), [&]<class T>() { return static_cast<double>(*reinterpret_cast<const T*>(v.data)); });
}

json summary_json(const Tape& tape, const About& about, const std::vector<Shown>& parameters) {
  std::int32_t last_step = -1;
  for (const Node& node : tape.nodes()) last_step = std::max(last_step, node.step);
  Index count = 0;
  for (const Shown& p : parameters) count += p.leaf->value.size();
  json summary = {{"parameters", count},
                  {"steps", last_step + 1},
                  {"nodes", tape.nodes().size()},
                  {"values", tape.values().size()},
                  {"bytes", tape.memory()}};
  if (const auto loss = about.loss ? about.loss : last_number(tape)) summary["loss"] = number_json(*loss);
  return summary;
}

json begun(const Tape& tape, const About& about) {
  const std::vector<Shown> parameters = shown(tape, about);
  json list = json::array();
  for (const auto& [path, leaf] : parameters) list.push_back(parameter_json(path, *leaf, about.gradients));
  json report = {{"title", about.title},
                 {"dtype", name_of(tape.dtype())},
                 {"summary", summary_json(tape, about, parameters)},
                 {"graph", graph_of(tape, Detail::full)},
                 {"parameters", list},
                 {"history", about.history ? json(*about.history) : json()},
                 {"origin", about.origin ? json(*about.origin) : json()}};
  if (!about.note.empty()) report["note"] = about.note;
  return report;
}

json finished(json report) {
  report["findings"] = findings(report);
  return report;
}

}  // namespace

json report_of(const Tape& tape, const About& about) { return finished(begun(tape, about)); }

void report(const Tape& tape, const std::string& path, const About& about, SourceLocation location) {
  write_page(path, report_of(tape, about), location);
}

// -- The recorder.

Recorder::Recorder(Tape& tape, const Watching& watching)
    : tape_(tape),
      watching_(watching),
      flow_({.jacobians = watching.jacobians}),
      profile_(watching.spans ? Profile::Spans::kept : Profile::Spans::dropped),
      attached_(tape, *this) {}

// Another pass than before begins anew.
void Recorder::meet(const Tape& tape) {
  if (&tape != &tape_ || pass_ == tape.pass()) return;
  pass_ = tape.pass();
  flow_.clear();
  memory_.clear();
  profile_.clear();
}

void Recorder::begin(Tape& tape, std::uint32_t node, Phase phase) {
  meet(tape);
  flow_.begin(tape, node, phase);
  if (watching_.origin) origin_.begin(tape, node, phase);
  memory_.begin(tape, node, phase);
  profile_.begin(tape, node, phase);
}

void Recorder::end(Tape& tape, std::uint32_t node, Phase phase) {
  profile_.end(tape, node, phase);
  memory_.end(tape, node, phase);
  if (watching_.origin) origin_.end(tape, node, phase);
  flow_.end(tape, node, phase);
}

void Recorder::abandoned(Tape& tape, std::uint32_t node, Phase phase) {
  profile_.abandoned(tape, node, phase);
  memory_.abandoned(tape, node, phase);
  if (watching_.origin) origin_.abandoned(tape, node, phase);
  flow_.abandoned(tape, node, phase);
}

void Recorder::step(Tape& tape, const Step& step) {
  meet(tape);
  flow_.step(tape, step);
}

void Recorder::state(Tape& tape, std::span<const Var> fields) { flow_.state(tape, fields); }

json Recorder::report_of(const About& about, SourceLocation location) const {
  if (pass_ && pass_ != tape_.pass())
    autograd::fail("inspect", "a tape came that was cleared after the pass; needed a report before that",
                   location);
  json report = begun(tape_, about);
  report["flow"] = flow_;
  report["profile"] = profile_;
  report["memory"] = memory_;
  if (const std::size_t peak = memory_.peak().at.bytes; peak > 0) report["summary"]["bytes"] = peak;
  if (origin()) report["origin"] = *origin();
  return finished(std::move(report));
}

void Recorder::report(const std::string& path, const About& about, SourceLocation location) const {
  write_page(path, report_of(about, location), location);
}

}  // namespace unroll::inspect
