// From tables to what a forecaster learns from and is measured on.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "models/data/parts.h"
#include "models/tasks/forecast/net.h"

namespace unroll::models {

/// The windows of a table: each is the row it begins at, with room for window and horizon in its piece.
std::vector<Index> window_starts(const NumberTable& table, Index window, Index horizon);

/// Throws Error, naming the source of the table, if there is none.
void expect_windows(const NumberTable& table, const ForecasterOptions& options, const std::string& source);

struct ForecastData {
  std::array<NumberTable, 3> parts;  // training, validation, test; of the inputs
  Scaling scaling;                   // of the training part
};
/// Shares of one file are cut in the order of time, the training part first. Throws Error for files that are
/// not as they should be, and for a part without a window.
ForecastData read_forecast_data(const DataFiles& files, const ForecasterOptions& options, BadRows& bad);

}  // namespace unroll::models
