#include "models/tasks/forecast/net.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/tasks/forecast/task.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

// A sine of period 12 in large units, and what it was three rows ago.
std::string waves(int rows, int begin = 0) {
  std::string csv = "noise,wave,late\n";
  Generator g(7);
  auto wave = [](int t) { return std::to_string(500 + 100 * std::sin(2 * 3.14159265358979 * t / 12)); };
  for (int t = begin; t < begin + rows; ++t)
    csv += std::to_string(g.normal()) + "," + wave(t) + "," + wave(t - 3) + "\n";
  return csv;
}

const ForecasterOptions kSmall{.inputs = {"wave", "late"},
                               .targets = {"late", "wave"},
                               .window = 6,
                               .horizon = 3,
                               .net = {.hidden = 16, .pool = nn::Pool::last}};

}  // namespace

TEST_CASE("a forecaster learns a wave, in the units of the data; it comes back from its file") {
  const TemporaryFolder folder;
  BadRows bad;
  DataFiles files;
  files.all = folder.file("waves.csv", waves(500));
  const ForecastData data = read_forecast_data(files, kSmall, bad);
  CHECK(data.parts[0].rows() == 400);
  CHECK(data.parts[2].rows() == 50);
  CHECK(data.scaling.means[0] == doctest::Approx(500).epsilon(0.01));
  Generator g(5);
  SavedForecaster forecaster({kSmall, data.scaling}, g);
  Workers workers(2);
  const TrainingOptions options{.epochs = 60, .batch = 32, .lr = 0.01, .schedule = "cosine"};
  ForecastTask task(forecaster, data.parts[0], data.parts[1], options);
  train(task, options, workers, {.style = Progress::Style::silent});
  const ForecastScore score = evaluate(forecaster, data.parts[2], workers);
  CHECK(score.naive_rmse > 60);
  CHECK(score.rmse < 6);
  CHECK(score.mae <= score.rmse);

  const std::string path = folder.file("model.safetensors");
  save_model(path, forecaster);
  const SavedForecaster loaded = load_model<SavedForecaster>(path);
  const std::vector<Index> starts{0, 7};
  const auto numbers = forecast(loaded, data.parts[2], starts, workers);
  CHECK(numbers == forecast(forecaster, data.parts[2], starts, workers));
  REQUIRE(numbers[1].size() == 6);
  for (std::size_t h = 0; h < 3; ++h)  // "late" is the first target, the second input
    CHECK(std::abs(numbers[1][2 * h] - data.parts[2].at(7 + 6 + static_cast<Index>(h), 1)) < 20);
}

TEST_CASE("a forecast that is not finite is refused, not printed") {
  const TemporaryFolder folder;
  BadRows bad;
  DataFiles files;
  files.all = folder.file("waves.csv", waves(200));
  const ForecastData data = read_forecast_data(files, kSmall, bad);
  Workers workers(1);
  const std::vector<Index> starts{0};
  const auto refused = [&](const Scaling& scaling, float weight) {
    Generator g(5);
    SavedForecaster forecaster({kSmall, scaling}, g);
    if (weight > 0)
      for (const NamedParameter& p : parameters(forecaster.net)) p.parameter->value().fill(weight);
    CHECK_THROWS_WITH_AS((void)forecast(forecaster, data.parts[0], starts, workers),
                         doctest::Contains("[forecast] "), Error);
  };
  refused(data.scaling, 3e38f);
  Scaling wide = data.scaling;
  wide.deviations = {1e308, 1e308};
  wide.means = {1.7e308, 1.7e308};
  refused(wide, 0.5f);
}

}  // namespace unroll::models
