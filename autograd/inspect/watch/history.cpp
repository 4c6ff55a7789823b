#include "autograd/inspect/watch/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/inspect/figures/numbers.h"
#include "autograd/inspect/figures/summary.h"

namespace unroll::inspect {

using autograd::Gradients;
using autograd::Tensor;

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// In rows that no gradient has reached the buffer is zero.
double norm_of(const Gradients::Entry* entry) { return entry ? summary_of(entry->buffer()).norm : kMissing; }

double distance(const Tensor& a, const Tensor& b) {
  return autograd::dispatch(a.dtype(), [&]<class T>() {
    const auto x = a.span<T>(), y = b.span<T>();
    double squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      squares += d * d;
    }
    return std::sqrt(squares);
  });
}

template <class T>
void keep(std::vector<T>& all, const std::vector<bool>& wanted) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (wanted[i]) all[kept++] = all[i];
  all.resize(kept);
}

}  // namespace

History::History(std::vector<autograd::NamedParameter> parameters, std::int64_t every, std::size_t most,
                 autograd::SourceLocation location)
    : parameters_(std::move(parameters)), every_(every), most_(most) {
  if (every < 1 || most < 2)
    autograd::fail(
        "history",
        fmt::format("every {}th step and at most {} of them came; needed at least 1 and 2", every, most),
        location);
  for (const auto& p : parameters_) histories_.push_back({p.path, {}, {}});
}

void History::before_update(std::int64_t step, const TrainingStep& what, const Gradients& gradients) {
  if (steps_.size() >= most_) thin_out();
  if (!due(step)) return;
  steps_.push_back(step);
  recorded_.push_back(what);
  const double unclipped = what.clipped_norm && *what.clipped_norm > 0 ? what.norm / *what.clipped_norm : 1;
  before_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    histories_[i].gradient.push_back(norm_of(gradients.find(*parameters_[i].parameter)) * unclipped);
    before_.push_back(std::as_const(*parameters_[i].parameter).value());
  }
}

void History::after_update() {
  for (std::size_t i = 0; i < before_.size(); ++i) {
    const double moved = distance(std::as_const(*parameters_[i].parameter).value(), before_[i]);
    const double norm = summary_of(before_[i]).norm;
    histories_[i].ratio.push_back(norm > 0 ? moved / norm : moved);
  }
  before_.clear();
}

void History::thin_out() {
  every_ *= 2;
  std::vector<bool> wanted;
  for (const std::int64_t step : steps_) wanted.push_back(due(step));
  keep(steps_, wanted);
  keep(recorded_, wanted);
  for (ParameterHistory& h : histories_) keep(h.gradient, wanted), keep(h.ratio, wanted);
}

void to_json(nlohmann::json& json, const History& history) {
  const auto& steps = history.recorded();
  json = {{"steps", history.steps()},
          {"loss", column_json(steps, &TrainingStep::loss)},
          {"norm", column_json(steps, &TrainingStep::norm)},
          {"clipped", nullptr},
          {"parameters", nlohmann::json::array()}};
  if (std::ranges::any_of(steps, [](const TrainingStep& s) { return s.clipped_norm.has_value(); }))
    json["clipped"] =
        column_json(steps, [](const TrainingStep& s) { return s.clipped_norm.value_or(kMissing); });
  for (const ParameterHistory& p : history.parameters())
    json["parameters"].push_back(
        {{"path", p.path}, {"gradient", column_json(p.gradient)}, {"ratio", column_json(p.ratio)}});
}

}  // namespace unroll::inspect
