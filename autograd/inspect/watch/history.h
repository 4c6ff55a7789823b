// A training run as seen from its optimiser: losses, gradients, what clipping did, how far each parameter
// moved.
//
//   inspect::History history(parameters(model));
//   for (std::int64_t step = 0; ...; ++step) {
//     ...
//     const double norm = clip_by_global_norm(gradients, 1.0);
//     if (history.due(step)) history.before_update(step, {loss, norm, std::min(norm, 1.0)}, gradients);
//     optimiser.step(gradients);
//     history.after_update();
//   }
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "autograd/parameter.h"

namespace unroll::inspect {

/// Of one step.
struct TrainingStep {
  double loss;
  double norm;                              // of all gradients together
  std::optional<double> clipped_norm = {};  // the same after clipping, where there is clipping
};

/// One parameter, by recorded step. NaN where it got no gradient.
struct ParameterHistory {
  std::string path;
  std::vector<double> gradient;  // norm of its gradient before clipping of the global norm
  std::vector<double> ratio;     // |parameter after - before| / |before|; of a zero parameter |after|
};

/// Keeps a bounded number of steps: when there are too many, every other one is dropped, and half as many are
/// due from then on.
class History {
 public:
  /// Each `every`-th step is due at first; between `most` / 2 and `most` are kept. The parameters must
  /// outlive it.
  explicit History(std::vector<autograd::NamedParameter> parameters, std::int64_t every = 1,
                   std::size_t most = 512,
                   autograd::SourceLocation location = autograd::SourceLocation::current());

  bool due(std::int64_t step) const { return step % every_ == 0; }
  /// With the gradients that the optimiser is about to take. Copies the parameters.
  void before_update(std::int64_t step, const TrainingStep& what, const autograd::Gradients& gradients);
  /// Does nothing unless there was a before_update().
  void after_update();

  const std::vector<std::int64_t>& steps() const { return steps_; }
  const std::vector<TrainingStep>& recorded() const { return recorded_; }
  const std::vector<ParameterHistory>& parameters() const { return histories_; }

 private:
  void thin_out();

  std::vector<autograd::NamedParameter> parameters_;
  std::int64_t every_;
  std::size_t most_;
  std::vector<std::int64_t> steps_;
  std::vector<TrainingStep> recorded_;
  std::vector<ParameterHistory> histories_;
  std::vector<autograd::Tensor> before_;  // empty unless an update is under way
};

/// {"steps", "loss", "norm", "clipped", "parameters": [{"path", "gradient", "ratio"}]}; "clipped" is null
/// without clipping, and so is what is not finite.
void to_json(nlohmann::json& json, const History& history);

}  // namespace unroll::inspect
