#include "autograd/inspect/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_set>

#include "autograd/atomic_file.h"
#include "autograd/inspect/findings.h"
#include "autograd/inspect/graph.h"
#include "autograd/inspect/page.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Node;
using autograd::Parameter;
using autograd::Value;
using nlohmann::json;

namespace {

// Parameters that the pass read, in the order in which it did so.
std::vector<const Parameter::Leaf*> read_by(const Tape& tape) {
  std::vector<const Parameter::Leaf*> list;
  std::unordered_set<const Parameter::Leaf*> seen;
  for (const autograd::Root& root : tape.roots())
    if (root.parameter && seen.insert(root.parameter).second) list.push_back(root.parameter);
  return list;
}

json parameter_json(const std::string& path, const Parameter::Leaf& leaf, const Gradients* gradients) {
  json shape = json::array();
  for (int i = 0; i < leaf.value.shape().rank(); ++i) shape.push_back(leaf.value.shape()[i]);
  json p = {{"path", path}, {"shape", shape}, {"norm", summary_of(leaf.value).norm}};
  if (!gradients) return p;
  const Gradients::Entry* entry = gradients->find(&leaf);
  const bool reached = entry && entry->state() != Gradients::Entry::State::none;
  const Summary gradient = reached ? summary_of(entry->buffer()) : Summary{.zeros = 1};
  p.update({{"gradient_norm", gradient.norm}, {"largest", gradient.largest}, {"zeros", gradient.zeros}});
  return p;
}

json parameters_json(const Tape& tape, const About& about) {
  json list = json::array();
  for (const auto& [path, parameter] : about.parameters)
    list.push_back(parameter_json(path, *parameter->leaf(), about.gradients));
  if (about.parameters.empty())
    for (const Parameter::Leaf* leaf : read_by(tape))
      list.push_back(parameter_json(leaf->name, *leaf, about.gradients));
  return list;
}

Index parameter_count(const Tape& tape, const About& about) {
  Index count = 0;
  for (const auto& [path, parameter] : about.parameters) count += parameter->shape().size();
  if (about.parameters.empty())
    for (const Parameter::Leaf* leaf : read_by(tape)) count += leaf->value.size();
  return count;
}

// One cell step is one box. What many nodes have in common is said once: a thousand steps of a user's cell
// are ten thousand nodes.
json graph_json(const Graph& graph) {
  json modules = json::array(), kinds = json::array(), boxes = json::array(), edges = json::array();
  for (const Graph::Module& m : graph.modules) modules.push_back({{"path", m.path}, {"type", m.type}});
  std::map<std::tuple<std::string, std::string, std::string, std::size_t, bool>, std::size_t> known;
  const auto kind_of = [&](const Line& line) {
    const auto [kind, is_new] = known.try_emplace(
        {line.op, line.shape_text(), line.where, line.bytes, line.wants_gradient}, kinds.size());
    if (is_new)
      kinds.push_back({{"op", line.op},
                       {"shape", line.shape_text()},
                       {"where", line.where},
                       {"bytes", line.bytes},
                       {"needs_gradient", line.wants_gradient}});
    return kind->second;
  };
  for (const Graph::Box& b : graph.boxes) {
    json nodes = json::array();
    for (const Line& line : b.nodes) {
      nodes.push_back({line.node, kind_of(line)});
      for (const std::string& input : line.inputs) nodes.back().push_back(input);
    }
    boxes.push_back({b.module, b.steps ? json{b.steps->first, b.steps->second} : json(), b.bytes, nodes,
                     b.steps ? json(b.recurrence) : json()});
  }
  for (const Graph::Edge& e : graph.edges) edges.push_back({e.from, e.to, e.count});
  return {{"modules", modules}, {"kinds", kinds}, {"boxes", boxes}, {"edges", edges}};
}

std::optional<double> last_number(const Tape& tape) {
  if (tape.nodes().empty()) return {};
  const Node& last = tape.nodes().back();
  const Value& v = tape.value(last.first_output);
  if (last.output_count != 1 || v.shape.size() != 1) return {};
  return autograd::dispatch(
      tape.dtype(), [&]<class T>() { return static_cast<double>(*reinterpret_cast<const T*>(v.data)); });
}

json summary_json(const Tape& tape, const About& about) {
  std::int32_t last_step = -1;
  for (const Node& node : tape.nodes()) last_step = std::max(last_step, node.step);
  json summary = {{"parameters", parameter_count(tape, about)},
                  {"steps", last_step + 1},
                  {"nodes", tape.nodes().size()},
                  {"values", tape.values().size()},
                  {"bytes", tape.memory()}};
  if (const auto loss = about.loss ? about.loss : last_number(tape)) summary["loss"] = *loss;
  return summary;
}

// The same numbers with five digits, which is more than a figure shows, in a third of the room.
void shorten(json& j) {
  if (j.is_number_float()) {
    const double x = j.get<double>();
    if (!std::isfinite(x)) {
      j = nullptr;
      return;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", x);
    j = std::strtod(text, nullptr);
  } else if (j.is_structured()) {
    for (json& inner : j) shorten(inner);
  }
}

json finished(json report) {
  shorten(report);
  report["findings"] = findings(report);
  return report;
}

json begun(const Tape& tape, const About& about) {
  return {{"title", about.title},
          {"dtype", name_of(tape.dtype())},
          {"summary", summary_json(tape, about)},
          {"graph", graph_json(graph_of(tape, Detail::full))},
          {"parameters", parameters_json(tape, about)},
          {"history", about.history ? json(*about.history) : json()},
          {"origin", about.origin ? json(*about.origin) : json()}};
}

}  // namespace

json report_of(const Tape& tape, const About& about) { return finished(begun(tape, about)); }

void report(const Tape& tape, const std::string& path, const About& about, Where where) {
  autograd::replace_file(path, page_of(report_of(tape, about)), where);
}

Recorder::Recorder(Tape& tape, const Watching& watching)
    : tape_(tape), flow_({.jacobians = watching.jacobians}) {
  if (watching.origin) origin_attached_.emplace(tape, origin_);
  flow_attached_.emplace(tape, flow_);
  memory_attached_.emplace(tape, memory_);
  profile_attached_.emplace(tape, profile_);
}

json Recorder::report_of(const About& about) const {
  json report = begun(tape_, about);
  report["flow"] = flow_;
  report["profile"] = profile_;
  report["memory"] = memory_;
  if (origin()) report["origin"] = *origin();
  return finished(std::move(report));
}

void Recorder::report(const std::string& path, const About& about, Where where) const {
  autograd::replace_file(path, page_of(report_of(about)), where);
}

}  // namespace unroll::inspect
