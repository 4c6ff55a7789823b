#include "models/tasks/forecast/net.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/tasks/forecast/task.h"
#include "tests/models/complaint.h"
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

TEST_CASE("windows begin wherever window and horizon have room in a piece") {
  const NumberTable table{.columns = {"x"}, .values = {1, 2, 3, 4, 5, 6, 7, 8}, .pieces = {0, 5}};
  CHECK(window_starts(table, 2, 1) == std::vector<Index>{0, 1, 2, 5});
  CHECK(window_starts(table, 3, 0) == std::vector<Index>{0, 1, 2, 5});
  CHECK(window_starts(table, 5, 1).empty());
}

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
  SavedForecaster forecaster(kSmall, data.scaling, g);
  Workers workers(2);
  const TrainingOptions options{.epochs = 60, .batch = 32, .lr = 0.01, .schedule = "cosine"};
  ForecastTask task(forecaster, data.parts[0], data.parts[1], options);
  train(task, options, workers, {.style = Progress::Style::silent});
  const ForecastScore score = evaluate(forecaster, data.parts[2], workers);
  CHECK(score.naive_rmse > 60);
  CHECK(score.rmse < 6);
  CHECK(score.mae <= score.rmse);

  const std::string path = folder.file("model.safetensors");
  save_forecaster(path, forecaster);
  const SavedForecaster loaded = load_forecaster(path);
  const std::vector<Index> starts{0, 7};
  const auto numbers = forecast(loaded, data.parts[2], starts, workers);
  CHECK(numbers == forecast(forecaster, data.parts[2], starts, workers));
  REQUIRE(numbers[1].size() == 6);
  for (std::size_t h = 0; h < 3; ++h)  // "late" is the first target, the second input
    CHECK(std::abs(numbers[1][2 * h] - data.parts[2].at(7 + 6 + static_cast<Index>(h), 1)) < 20);
}

TEST_CASE("the scaling is learned from the training part alone") {
  const TemporaryFolder folder;
  BadRows bad;
  DataFiles files;
  files.training = folder.file("train", "x\n1\n3\n1\n3\n");
  files.validation = folder.file("valid", "x\n100\n200\n300\n");
  const ForecastData data =
      read_forecast_data(files, {.inputs = {}, .targets = {"x"}, .window = 1, .horizon = 1}, bad);
  CHECK(data.scaling.means == std::vector<double>{2});
  CHECK(data.scaling.deviations == std::vector<double>{1});
}

TEST_CASE("forecasting: what is wrong is said") {
  const TemporaryFolder folder;
  BadRows bad;
  auto message = [&](const std::string& csv, const ForecasterOptions& options) {
    DataFiles files;
    files.training = folder.file("a", csv);
    return complaint(
        [&] {
          const ForecastData data = read_forecast_data(files, options, bad);
          Generator g;
          SavedForecaster(options, data.scaling, g);
        },
        folder.path.string() + "/");
  };
  const ForecasterOptions x{.inputs = {"x"}, .targets = {"x"}, .window = 2, .horizon = 1};
  CHECK(message("x\n1\n2\n3\n", x) == "none");
  CHECK(message("x\n1\n2\n", x) ==
        "[forecast] 2 rows came from a for training; needed at least 3 in a row, a window and its horizon");
  CHECK(message("y\n1\n2\n3\n", x) == "[csv] a: no column 'x' came; needed one of y");
  CHECK(message("x\n1\nNaN\n3\n", x).find("a:3: 'NaN' in the column 'x'") != std::string::npos);
  ForecasterOptions other = x;
  other.targets = {"y"};
  CHECK(message("x\n1\n2\n3\n", other) == "[forecast] a: no column 'y' came; needed one of x");
}

}  // namespace unroll::models
