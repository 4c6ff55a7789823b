// Learning to foretell rows of numbers.
#pragma once
#include <vector>

#include "models/tasks/forecast/data.h"
#include "models/training/training.h"

namespace unroll::models {

/// In the units of the data, over all windows, times of the horizon, and targets. The naive forecast is that
/// nothing changes.
struct ForecastScore {
  double loss = 0;  // mean squared error of scaled numbers
  double rmse = 0, mae = 0;
  double naive_rmse = 0;
};
std::vector<Measure> measures(const ForecastScore& score);
/// The same numbers for any number of workers.
ForecastScore evaluate(const SavedForecaster& forecaster, const NumberTable& table, Workers& workers);
/// In the units of the data, for each of these windows: by time, then by target.
std::vector<std::vector<double>> forecast(const SavedForecaster& forecaster, const NumberTable& table,
                                          std::span<const Index> starts, Workers& workers);

/// A task (models/training/task.h). Refers to all that it is made of.
class ForecastTask {
 public:
  ForecastTask(SavedForecaster& forecaster, const NumberTable& training, const NumberTable& validation,
               const TrainingOptions& run);

  std::vector<NamedParameter> parameters() { return nn::parameters(forecaster_); }
  ModelCard card() const { return card_of(forecaster_); }
  const char* unit() const { return "windows"; }
  Index units() const { return static_cast<Index>(starts_.size()); }
  std::uint64_t digest() const;
  Index begin_epoch(Generator& order);
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
  std::vector<Measure> validate(Workers& workers) const;

 private:
  SavedForecaster& forecaster_;
  const NumberTable& training_;
  const NumberTable& validation_;
  Index batch_;
  std::vector<Index> starts_;    // of all windows
  std::vector<Index> shuffled_;  // of this epoch
};

}  // namespace unroll::models
