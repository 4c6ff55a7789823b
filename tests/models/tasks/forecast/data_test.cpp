#include "models/tasks/forecast/data.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

TEST_CASE("windows begin wherever window and horizon have room in a piece") {
  const NumberTable table{.columns = {"x"}, .values = {1, 2, 3, 4, 5, 6, 7, 8}, .pieces = {0, 5}};
  CHECK(window_starts(table, 2, 1) == std::vector<Index>{0, 1, 2, 5});
  CHECK(window_starts(table, 3, 0) == std::vector<Index>{0, 1, 2, 5});
  CHECK(window_starts(table, 5, 1).empty());
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
          SavedForecaster({options, data.scaling}, g);
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
