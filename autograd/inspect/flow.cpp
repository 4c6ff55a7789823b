#include "autograd/inspect/flow.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace unroll::inspect {

using autograd::kNone;
using autograd::Value;
using autograd::View;

// -- Sums.

namespace {

// As many sums side by side as fill the registers of any processor.
constexpr Index kLanes = 16;

class Sums {
 public:
  template <class T>
  void add(const T* x, Index count) {
    Index i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (Index l = 0; l < kLanes; ++l) add(static_cast<double>(x[i + l]), l);
    for (Index l = 0; i < count; ++i, ++l) add(static_cast<double>(x[i]), l);
    count_ += count;
  }
  Summary summary() const {
    Summary s;
    if (count_ == 0) return s;
    double zeros = 0;
    for (Index l = 0; l < kLanes; ++l) {
      s.norm += squares_[l];
      s.mean += absolute_[l];
      s.largest = std::max(s.largest, largest_[l]);
      zeros += zeros_[l];
    }
    if (std::isnan(s.mean)) s.largest = s.mean;
    s.norm = std::sqrt(s.norm);
    s.mean /= static_cast<double>(count_);
    s.zeros = zeros / static_cast<double>(count_);
    return s;
  }

 private:
  void add(double x, Index lane) {
    const double a = std::abs(x);
    squares_[lane] += x * x;
    absolute_[lane] += a;
    largest_[lane] = a > largest_[lane] ? a : largest_[lane];
    zeros_[lane] += a == 0 ? 1.0 : 0.0;
  }
  double squares_[kLanes] = {}, absolute_[kLanes] = {}, largest_[kLanes] = {}, zeros_[kLanes] = {};
  Index count_ = 0;
};

template <class T>
Summary summary_of(const View<const T>& x) {
  Sums sums;
  if (x.contiguous())
    sums.add(x.data, x.size());
  else
    for (Index r = 0; r < x.rows(); ++r) sums.add(x.row(r), x.cols());
  return sums.summary();
}

}  // namespace

Summary summary_of(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  return autograd::dispatch(tape.dtype(), [&]<class T>() {
    return summary_of(View<const T>{reinterpret_cast<const T*>(v.data), v.shape, v.stride});
  });
}

Summary summary_of_gradient(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  const Value& root = tape.value(v.root);
  if (!root.gradient) return {};
  return autograd::dispatch(tape.dtype(), [&]<class T>() {
    const T* gradient = reinterpret_cast<const T*>(root.gradient) + v.offset;
    return summary_of(View<const T>{gradient, v.shape, v.stride});
  });
}

// -- The record.

void Flow::clear() {
  recurrences_.clear();
  index_.clear();
  awaiting_.clear();
}

Flow::Awaiting& Flow::awaiting(const Tape& tape) {
  for (Awaiting& a : awaiting_)
    if (a.tape == &tape) return a;
  return awaiting_.emplace_back(Awaiting{&tape, {}, {}});
}

// Nodes from here on are of an earlier pass.
void Flow::forget_from(Awaiting& here, std::uint32_t node) {
  if (here.first.size() <= node) return;
  here.first.resize(node);
  if (node == 0) here.all.clear();
}

void Flow::begin(Tape& tape, std::uint32_t node, Phase phase) {
  if (awaiting_.empty()) return;
  Awaiting& here = awaiting(tape);
  if (phase == Phase::forward && node + 1 == tape.nodes().size()) return forget_from(here, node);
  if (phase != Phase::backward || node >= here.first.size()) return;
  for (std::uint32_t i = here.first[node]; i != kNone; i = here.all[i].next) {
    const Awaited& a = here.all[i];
    recurrences_[a.recurrence].fields[a.field].gradient[a.step] = summary_of_gradient(tape, a.value);
  }
}

void Flow::step(Tape& tape, const Step& step) {
  if (!tape.records_gradients()) return;
  const auto t = static_cast<std::size_t>(tape.time_step());
  const auto [known, is_new] = index_.try_emplace(step.recurrence, recurrences_.size());
  // An address that comes again for a step that is known is that of a later pass.
  if (!is_new && recurrences_[known->second].rows.size() > t && recurrences_[known->second].rows[t] > 0)
    known->second = recurrences_.size();
  current_ = known->second;
  if (current_ == recurrences_.size())
    recurrences_.push_back({tape.scope_path(tape.current_scope()),
                            step.reverse,
                            {},
                            std::vector<FieldFlow>(step.before.size())});
}

void Flow::state(Tape& tape, std::span<const Var> fields) {
  if (!tape.records_gradients()) return;
  const auto t = static_cast<std::size_t>(tape.time_step());
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
}

// -- JSON.

namespace {

nlohmann::json entry_of(const Recurrence& r, std::size_t field) {
  nlohmann::json entry = {
      {"path", r.path}, {"direction", r.reverse ? "reverse" : "forward"}, {"field", field}, {"rows", r.rows}};
  auto column = [&](const std::string& name, const std::vector<Summary>& all, double Summary::*which) {
    nlohmann::json& numbers = entry[name] = nlohmann::json::array();
    for (const Summary& s : all) numbers.push_back(s.*which);
  };
  auto columns = [&](const std::string& prefix, const std::vector<Summary>& all) {
    column(prefix + "norm", all, &Summary::norm);
    column(prefix + "mean", all, &Summary::mean);
    column(prefix + "largest", all, &Summary::largest);
    column(prefix + "zeros", all, &Summary::zeros);
  };
  columns("", r.fields[field].gradient);
  columns("state_", r.fields[field].state);
  return entry;
}

}  // namespace

void to_json(nlohmann::json& json, const Flow& flow) {
  json = nlohmann::json::array();
  for (const Recurrence& r : flow.recurrences())
    for (std::size_t f = 0; f < r.fields.size(); ++f) json.push_back(entry_of(r, f));
}

}  // namespace unroll::inspect
