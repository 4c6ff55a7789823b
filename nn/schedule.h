// Learning rates over time. A schedule gives the factor by which every learning rate is multiplied:
//
//   Schedule schedule = Schedule::cosine(20'000, 0.01).after_warm_up(500);
//   ...
//   optimiser.set_factor(schedule(optimiser.steps()));
//   optimiser.step(gradients);
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "nn/named_tensor.h"

namespace unroll::nn {

/// A pure function of the number of steps done, so that there is nothing to save.
class Schedule {
 public:
  /// 1
  static Schedule constant() { return {}; }
  /// factor^floor(step / every)
  static Schedule step(std::int64_t every, double factor,
                       SourceLocation location = SourceLocation::current());
  /// factor^(step / every)
  static Schedule exponential(std::int64_t every, double factor,
                              SourceLocation location = SourceLocation::current());
  /// last + (1 - last) (1 + cos(pi step / steps)) / 2, and `last` after that (Loshchilov and Hutter 2017,
  /// without restarts).
  static Schedule cosine(std::int64_t steps, double last = 0,
                         SourceLocation location = SourceLocation::current());
  /// The same schedule, begun `steps` later; before that (step + 1) / steps.
  Schedule after_warm_up(std::int64_t steps, SourceLocation location = SourceLocation::current()) const;

  double operator()(std::int64_t step) const;

 private:
  enum class Curve { constant, step, exponential, cosine };
  Curve curve_ = Curve::constant;
  std::int64_t period_ = 1;
  double factor_ = 1;
  std::int64_t warm_up_ = 0;
};

struct PlateauOptions {
  double factor = 0.5;            // what a reduction multiplies by
  std::int64_t patience = 2;      // it acts after so many reports in a row without improvement, or after one
  double threshold = 0;           // an improvement is larger than this
  bool larger_is_better = false;  // true for an accuracy, false for a loss
  double lowest = 0;              // the factor stays at least this
};

/// Reduces the rate when a validation metric no longer improves. NaN is no improvement.
class Plateau {
 public:
  explicit Plateau(const PlateauOptions& options = {}, SourceLocation location = SourceLocation::current());
  /// Takes the metric of one validation, returns factor().
  double report(double metric);
  double factor() const { return factor_; }

  /// "plateau.best", "plateau.waited", "plateau.factor".
  std::vector<NamedTensor> state() const;
  void load_state(std::span<const NamedTensor> state, SourceLocation location = SourceLocation::current());

 private:
  PlateauOptions options_;
  double best_;
  std::int64_t waited_ = 0;
  double factor_ = 1;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Plateau;
using nn::Schedule;
}  // namespace unroll
