#include "models/tasks/forecast/data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace unroll::models {

namespace {

constexpr const char* kOp = "forecast";

NumberTable rows_of(const NumberTable& table, Index begin, Index count) {
  const auto width = static_cast<Index>(table.columns.size());
  NumberTable part{
      .columns = table.columns,
      .values = {table.values.begin() + begin * width, table.values.begin() + (begin + count) * width},
      .pieces = {0}};
  for (const Index piece : table.pieces)
    if (piece > begin && piece < begin + count) part.pieces.push_back(piece - begin);
  return part;
}

}  // namespace

void expect_windows(const NumberTable& table, const ForecasterOptions& options, const std::string& source) {
  if (window_starts(table, options.window, options.horizon).empty())
    autograd::fail(kOp,
                   fmt::format("{} rows came from {}; needed at least {} in a row, a window and its horizon",
                               table.rows(), source, options.window + options.horizon));
}

std::vector<Index> window_starts(const NumberTable& table, Index window, Index horizon) {
  std::vector<Index> starts;
  for (std::size_t p = 0; p < table.pieces.size(); ++p) {
    const Index end = p + 1 < table.pieces.size() ? table.pieces[p + 1] : table.rows();
    for (Index start = table.pieces[p]; start + window + horizon <= end; ++start) starts.push_back(start);
  }
  return starts;
}

ForecastData read_forecast_data(const DataFiles& files, const ForecasterOptions& options, BadRows& bad) {
  check(files, kOp);
  ForecastData data;
  if (files.is_split()) {
    const NumberTable table = read_number_table(files.all, options.inputs, bad);
    Index begin = 0;
    const auto counts = split_counts(files, table.rows(), "rows", kOp);
    for (std::size_t part = 0; part < 3; begin += counts[part++])
      data.parts[part] = rows_of(table, begin, counts[part]);
  }
  for (std::size_t part = 0; part < 3 && !files.is_split(); ++part)
    if (const std::string& path = files.of(part); !path.empty())
      data.parts[part] = read_number_table(path, part == 0 ? options.inputs : data.parts[0].columns, bad);
  for (const std::string& target : options.targets)
    if (std::ranges::count(data.parts[0].columns, target) == 0)
      autograd::fail(kOp, fmt::format("{}: no column '{}' came; needed one of {}", files.of(0), target,
                                      fmt::join(data.parts[0].columns, ", ")));
  for (std::size_t part = 0; part < 3; ++part)
    if (const NumberTable& table = data.parts[part]; !table.values.empty())
      expect_windows(table, options, fmt::format("{} for {}", files.of(part), kPartNames[part]));
  const NumberTable& training = data.parts[0];
  ScalingSums sums(training.columns.size());
  for (Index row = 0; row < training.rows(); ++row)
    sums.add(std::span(training.values)
                 .subspan(static_cast<std::size_t>(row) * training.columns.size(), training.columns.size()));
  data.scaling = sums.scaling();
  return data;
}

}  // namespace unroll::models
