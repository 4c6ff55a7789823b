#include "autograd/inspect/watch/flow.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "autograd/inspect/figures/numbers.h"
#include "autograd/inspect/watch/profile.h"

namespace unroll::inspect {

using autograd::kNone;

namespace {

Index layer_of(const std::string& path) {
  const std::string list = "layers.";
  const std::size_t at = path.rfind(list);
  Index layer = 0;
  if (at != std::string::npos)
    std::from_chars(path.data() + at + list.size(), path.data() + path.size(), layer);
  return layer;
}

}  // namespace

// -- The record.

void Flow::clear() {
  recurrences_.clear();
  index_.clear();
  awaiting_.clear();
  running_.clear();
  outer_ = stepping_ = nullptr;
}

Flow::Awaiting& Flow::awaiting(const Tape& tape) {
  for (Awaiting& a : awaiting_)
    if (a.tape == &tape) return a;
  return awaiting_.emplace_back(Awaiting{&tape, {}, {}, {}});
}

// Nodes from here on are of an earlier pass.
void Flow::forget_from(Awaiting& here, std::uint32_t node) {
  if (here.first.size() > node) here.first.resize(node);
  if (node > 0) return;
  here.all.clear();
  for (const std::size_t r : here.walks) running_[r].steps.clear();
  here.walks.clear();
}

void Flow::begin(Tape& tape, std::uint32_t node, Phase phase) {
  if (!outer_) outer_ = &tape;
  if (phase == Phase::forward && node == 0 && &tape == outer_) index_.clear();  // a new pass
  if (awaiting_.empty()) return;
  Awaiting& here = awaiting(tape);
  if (phase == Phase::forward) return forget_from(here, node);
  if (phase != Phase::backward) return;
  if (!here.walks.empty()) walk_back(tape, here);
  if (node >= here.first.size()) return;
  for (std::uint32_t i = here.first[node]; i != kNone; i = here.all[i].next) {
    const Awaited& a = here.all[i];
    recurrences_[a.recurrence].fields[a.field].gradient[a.step] = summary_of_gradient(tape, a.value);
  }
}

void Flow::end(Tape& tape, std::uint32_t node, Phase phase) {
  if (&tape != stepping_ || phase != Phase::forward || elements_ == 0) return;
  const autograd::Node& n = tape.nodes()[node];
  if (!n.table->watch || std::ranges::count(without_gates_, n.table) > 0) return;
  found_.clear();
  n.table->watch(tape, n, elements_, found_);
  if (found_.empty()) without_gates_.push_back(n.table);
  for (const autograd::Saturation& s : found_)
    running_[current_].gates.add(recurrences_[current_].gates, step_.time, n.table->name(n.op), s);
}

void Flow::step(Tape& tape, const Step& step) {
  if (!tape.records_gradients()) return;
  const auto t = static_cast<std::size_t>(tape.time_step());
  const auto [known, is_new] = index_.try_emplace(tape.recurrence(), recurrences_.size());
  current_ = known->second;
  if (is_new) {
    const std::uint32_t scope = tape.current_scope();
    const std::string path = tape.scope_path(scope);
    const autograd::ModuleType* type = scope == kNone ? nullptr : tape.scopes()[scope].type;
    recurrences_.push_back({tape.recurrence(),
                            path,
                            type ? type->name : "",
                            layer_of(path),
                            step.reverse,
                            {},
                            std::vector<FieldFlow>(step.before.size()),
                            {},
                            {}});
    running_.emplace_back();
    if (options_.jacobians) running_.back().walk = std::make_unique<JacobianWalk>(options_.jacobian);
  }
  stepping_ = &tape;
  step_.time = t;
  step_.first = step.first;
  step_.begin = static_cast<std::uint32_t>(tape.nodes().size());
  step_.before.assign(step.before.begin(), step.before.end());
  elements_ = options_.gate_elements.value_or(elements_of(running_[current_]));
  if (elements_ > 0) running_[current_].gates.begin_step();
}

// An element takes about as long as so many operations of a step and its way back do, times the share of them
// that it may cost.
Index Flow::elements_of(Running& running) const {
  constexpr double kOperationsPerElement = 7500;
  constexpr Index kRun = 32, kMost = 256;
  constexpr std::size_t kUnseen = 7;
  running.elements += std::min(running.operations / kOperationsPerElement, static_cast<double>(kMost));
  const bool is_due = running.rows == 0 || running.elements >= kRun || running.unseen == kUnseen;
  running.unseen = is_due ? 0 : running.unseen + 1;
  if (!is_due) return 0;
  const Index now = std::clamp(static_cast<Index>(running.elements), kRun, kMost);
  running.elements = 0;
  return now;
}

void Flow::state(Tape& tape, std::span<const Var> fields) {
  if (&tape != stepping_) return;
  stepping_ = nullptr;
  const std::size_t t = step_.time;
  Recurrence& r = recurrences_[current_];
  if (r.rows.size() <= t) r.rows.resize(t + 1);
  r.rows[t] = fields[0].rows();
  Awaiting& here = awaiting(tape);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    FieldFlow& flow = r.fields[f];
    if (flow.state.size() <= t) flow.state.resize(t + 1), flow.gradient.resize(t + 1);
    const std::uint32_t id = fields[f].index(), node = tape.value(id).node;
    flow.state[t] = summary_of(tape, id);
    if (node == kNone || !tape.value(id).wants_gradient) continue;
    if (here.first.size() <= node) here.first.resize(node + 1, kNone);
    here.all.push_back({current_, f, t, id, here.first[node]});
    here.first[node] = static_cast<std::uint32_t>(here.all.size() - 1);
  }
  step_.end = static_cast<std::uint32_t>(tape.nodes().size());
  Running& running = running_[current_];
  // The first step does less than others, when it begins with zeros.
  if (!options_.gate_elements && (running.rows != r.rows[t] || step_.first)) {
    running.rows = step_.first ? 0 : r.rows[t];
    running.operations = 0;
    for (std::uint32_t n = step_.begin; n < step_.end; ++n)
      running.operations += work_of(tape, n, Phase::forward).operations;
  }
  if (!options_.jacobians || !tape.value(fields[0].index()).wants_gradient) return;
  step_.after.assign(fields.begin(), fields.end());
  if (running.steps.empty()) here.walks.push_back(current_);
  running.steps.push_back(step_);
}

// All steps on this tape have been taken, and backward is about to go back.
void Flow::walk_back(Tape& tape, Awaiting& here) {
  for (const std::size_t r : here.walks) {
    Running& running = running_[r];
    for (std::size_t i = running.steps.size(); i-- > 0;) running.walk->go_back(tape, running.steps[i]);
    running.steps.clear();
    recurrences_[r].jacobian = running.walk->result();
  }
  here.walks.clear();
}

// -- JSON.

namespace {

nlohmann::json json_of(const Jacobian& j) {
  auto or_null = [](const std::optional<Index>& steps) {
    return steps ? nlohmann::json(*steps) : nlohmann::json();
  };
  return {
      {"measure", j.exact ? "largest singular value" : "root mean square of the singular values, estimated"},
      {"norm", column_json(j.norm)},
      {"norm_error", column_json(j.norm_error)},
      {"product", column_json(j.product)},
      {"product_error", column_json(j.product_error)},
      {"vanishes_after", or_null(j.vanishes_after)},
      {"explodes_after", or_null(j.explodes_after)}};
}

nlohmann::json entry_of(const Recurrence& r, std::size_t field) {
  nlohmann::json entry = {{"recurrence", r.number},
                          {"path", r.path},
                          {"type", r.type},
                          {"layer", r.layer},
                          {"direction", r.reverse ? "reverse" : "forward"},
                          {"field", field},
                          {"rows", r.rows}};
  for (std::size_t t = 0; t < r.rows.size(); ++t) entry["steps"].push_back(t);
  auto columns = [&](const std::string& prefix, const std::vector<Summary>& all) {
    entry[prefix + "norm"] = column_json(all, &Summary::norm);
    entry[prefix + "mean"] = column_json(all, &Summary::mean);
    entry[prefix + "largest"] = column_json(all, &Summary::largest);
    entry[prefix + "zeros"] = column_json(all, &Summary::zeros);
  };
  columns("", r.fields[field].gradient);
  columns("state_", r.fields[field].state);
  entry["jacobian"] = r.jacobian && field == 0 ? json_of(*r.jacobian) : nlohmann::json();
  entry["gates"] = nlohmann::json::array();
  for (const Gate& g : r.gates)
    if (field == 0)
      entry["gates"].push_back(
          {{"name", g.name}, {"low", column_json(g.low)}, {"high", column_json(g.high)}, {"count", g.count}});
  return entry;
}

}  // namespace

void to_json(nlohmann::json& json, const Flow& flow) {
  json = nlohmann::json::array();
  for (const Recurrence& r : flow.recurrences())
    for (std::size_t f = 0; f < r.fields.size(); ++f) json.push_back(entry_of(r, f));
}

}  // namespace unroll::inspect
