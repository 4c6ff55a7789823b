#include "nn/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace unroll::nn {

namespace {
void check_steps(std::int64_t steps, SourceLocation location) {
  if (steps <= 0) autograd::fail("schedule", fmt::format("{} steps came; needed 1 or more", steps), location);
}
void check_factor(double factor, SourceLocation location) {
  if (!(factor >= 0 && std::isfinite(factor)))
    autograd::fail("schedule", fmt::format("a factor of {} came; needed 0 or more, and finite", factor),
                   location);
}
}  // namespace

Schedule Schedule::step(std::int64_t every, double factor, SourceLocation location) {
  Schedule s = exponential(every, factor, location);
  s.curve_ = Curve::step;
  return s;
}

Schedule Schedule::exponential(std::int64_t every, double factor, SourceLocation location) {
  check_steps(every, location);
  check_factor(factor, location);
  Schedule s;
  s.curve_ = Curve::exponential;
  s.period_ = every;
  s.factor_ = factor;
  return s;
}

Schedule Schedule::cosine(std::int64_t steps, double last, SourceLocation location) {
  Schedule s = exponential(steps, last, location);
  s.curve_ = Curve::cosine;
  return s;
}

Schedule Schedule::after_warm_up(std::int64_t steps, SourceLocation location) const {
  check_steps(steps, location);
  Schedule s = *this;
  s.warm_up_ = steps;
  return s;
}

double Schedule::operator()(std::int64_t step) const {
  if (step < warm_up_) return static_cast<double>(step + 1) / static_cast<double>(warm_up_);
  step -= warm_up_;
  const double periods = static_cast<double>(step) / static_cast<double>(period_);
  switch (curve_) {
    case Curve::constant:
      return 1;
    case Curve::step:
      return std::pow(factor_, static_cast<double>(step / period_));
    case Curve::exponential:
      return std::pow(factor_, periods);
    case Curve::cosine:
      return factor_ + (1 - factor_) * (1 + std::cos(std::numbers::pi * std::min(periods, 1.0))) / 2;
  }
  return 1;
}

Plateau::Plateau(const PlateauOptions& options, SourceLocation location)
    : options_(options),
      best_((options.larger_is_better ? -1 : 1) * std::numeric_limits<double>::infinity()) {
  check_factor(options.factor, location);
  check_factor(options.lowest, location);
  if (!(options.factor < 1 && options.lowest <= 1 && options.patience >= 0 && options.threshold >= 0))
    autograd::fail(
        "plateau",
        fmt::format("factor {}, patience {}, threshold {} and lowest {} came; needed a factor below "
                    "1, a lowest of at most 1 and the others 0 or more",
                    options.factor, options.patience, options.threshold, options.lowest),
        location);
}

double Plateau::report(double metric) {
  const bool better =
      options_.larger_is_better ? metric > best_ + options_.threshold : metric < best_ - options_.threshold;
  if (better) {
    best_ = metric;
    waited_ = 0;
  } else if (++waited_ >= options_.patience) {
    factor_ = std::max(factor_ * options_.factor, options_.lowest);
    waited_ = 0;
  }
  return factor_;
}

std::vector<NamedTensor> Plateau::state() const {
  auto scalar = [](double x) { return Tensor::from(Shape{}, {x}, DType::f64); };
  std::vector<NamedTensor> state;
  state.push_back({"plateau.best", scalar(best_)});
  state.push_back({"plateau.waited", scalar(static_cast<double>(waited_))});
  state.push_back({"plateau.factor", scalar(factor_)});
  return state;
}

void Plateau::load_state(std::span<const NamedTensor> state, SourceLocation location) {
  Tensor best(Shape{}, DType::f64), waited(Shape{}, DType::f64), factor(Shape{}, DType::f64);
  const Destination into[] = {
      {"plateau.best", &best}, {"plateau.waited", &waited}, {"plateau.factor", &factor}};
  assign(state, into, "plateau", "saved state", location);
  if (!(waited.at(0) >= 0 && waited.at(0) < 0x1p53 && factor.at(0) >= 0 && factor.at(0) <= 1))
    autograd::fail("plateau",
                   fmt::format("a saved state with {} reports waited and a factor of {} came; needed 0 or "
                               "more, and 0 to 1",
                               waited.at(0), factor.at(0)),
                   location);
  best_ = best.at(0);
  waited_ = static_cast<std::int64_t>(waited.at(0));
  factor_ = factor.at(0);
}

}  // namespace unroll::nn
