#include "models/tasks/forecast/task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "models/data/digest.h"
#include "models/data/shuffle.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "forecast";
constexpr std::size_t kEvaluationBatch = 256;

// Scaled rows of some windows in packed order.
std::vector<float> packed_rows(const SavedForecaster& f, const NumberTable& table,
                               std::span<const Index> starts) {
  const std::size_t width = table.columns.size();
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(f.options.window) * starts.size() * width);
  for (Index t = 0; t < f.options.window; ++t)
    for (const Index start : starts)
      for (std::size_t c = 0; c < width; ++c)
        rows.push_back(static_cast<float>(f.scaling.scaled(table.at(start + t, c), c)));
  return rows;
}

Var outputs(const SavedForecaster& f, Tape& tape, const NumberTable& table, std::span<const Index> starts,
            const ops::Layout& layout, Generator* noise) {
  const Var rows = tape.constant(Shape{layout.rows(), static_cast<Index>(table.columns.size())},
                                 packed_rows(f, table, starts));
  return f.net(rows, layout, noise);
}

// What is to be foretold, scaled, [windows, horizon * targets].
std::vector<float> wanted(const SavedForecaster& f, const NumberTable& table, std::span<const Index> starts) {
  std::vector<float> numbers;
  for (const Index start : starts)
    for (Index h = 0; h < f.options.horizon; ++h)
      for (std::size_t k = 0; k < f.options.targets.size(); ++k) {
        const std::size_t column = f.column(k);
        numbers.push_back(
            static_cast<float>(f.scaling.scaled(table.at(start + f.options.window + h, column), column)));
      }
  return numbers;
}

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

std::vector<std::vector<double>> forecast(const SavedForecaster& f, const NumberTable& table,
                                          std::span<const Index> starts, Workers& workers) {
  std::vector<std::vector<double>> result(starts.size());
  const std::size_t batches = (starts.size() + kEvaluationBatch - 1) / kEvaluationBatch;
  workers.measure(batches, [&](Worker& worker, std::size_t b) {
    const std::size_t begin = b * kEvaluationBatch;
    const auto some = starts.subspan(begin, std::min(kEvaluationBatch, starts.size() - begin));
    const auto layout = ops::Layout::uniform(static_cast<Index>(some.size()), f.options.window);
    const Tensor numbers = outputs(f, worker.tape, table, some, layout, nullptr).tensor();
    for (std::size_t i = 0; i < some.size(); ++i)
      for (Index o = 0; o < f.outputs(); ++o)
        result[begin + i].push_back(
            f.scaling.original(numbers.at(static_cast<Index>(i) * f.outputs() + o),
                               f.column(static_cast<std::size_t>(o) % f.options.targets.size())));
  });
  return result;
}

ForecastScore evaluate(const SavedForecaster& f, const NumberTable& table, Workers& workers) {
  const auto starts = window_starts(table, f.options.window, f.options.horizon);
  const auto forecasts = forecast(f, table, starts, workers);
  ForecastScore score;
  double scaled = 0, squares = 0, distances = 0, naive = 0, count = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Index now = starts[i] + f.options.window;
    for (Index h = 0; h < f.options.horizon; ++h)
      for (std::size_t k = 0; k < f.options.targets.size(); ++k) {
        const std::size_t column = f.column(k),
                          at = static_cast<std::size_t>(h) * f.options.targets.size() + k;
        const double truth = table.at(now + h, column), error = forecasts[i][at] - truth;
        const double unchanged = table.at(now - 1, column) - truth;
        squares += error * error;
        distances += std::abs(error);
        naive += unchanged * unchanged;
        scaled += std::pow(error / f.scaling.deviations[column], 2);
        ++count;
      }
  }
  if (count == 0) return score;
  return {.loss = scaled / count,
          .rmse = std::sqrt(squares / count),
          .mae = distances / count,
          .naive_rmse = std::sqrt(naive / count)};
}

std::vector<Measure> measures(const ForecastScore& score) {
  return {{.name = "loss", .value = score.loss},
          {.name = "RMSE", .value = score.rmse},
          {.name = "MAE", .value = score.mae},
          {.name = "naive RMSE", .value = score.naive_rmse}};
}

ForecastTask::ForecastTask(SavedForecaster& forecaster, const NumberTable& training,
                           const NumberTable& validation, const TrainingOptions& run)
    : forecaster_(forecaster),
      training_(training),
      validation_(validation),
      batch_(run.batch),
      starts_(window_starts(training, forecaster.options.window, forecaster.options.horizon)) {}

std::uint64_t ForecastTask::digest() const {
  return digest_of(training_.values, training_.pieces, validation_.values, validation_.pieces);
}

Index ForecastTask::begin_epoch(Generator& order) {
  shuffled_ = starts_;
  shuffle(shuffled_, order);
  return (units() + batch_ - 1) / batch_;
}

Tally ForecastTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const auto begin = static_cast<std::size_t>(batch * batch_);
  const auto all = std::span<const Index>(shuffled_).subspan(
      begin, std::min(static_cast<std::size_t>(batch_), shuffled_.size() - begin));
  const Share share = share_of(static_cast<Index>(all.size()), piece.index, piece.count);
  if (share.size() == 0) return {};
  const auto some =
      all.subspan(static_cast<std::size_t>(share.begin), static_cast<std::size_t>(share.size()));
  const auto layout = ops::Layout::uniform(share.size(), forecaster_.options.window);
  const Var out = outputs(forecaster_, worker.tape, training_, some, layout, &noise);
  const Var truth = worker.tape.constant(out.shape(), wanted(forecaster_, training_, some));
  const Var loss = ops::mean_squared_error(out, truth);
  const auto count = static_cast<double>(share.size());
  worker.tape.backward(loss * (count / static_cast<double>(all.size())), worker.gradients);
  return {.loss = loss.item() * count, .weight = count, .units = share.size()};
}

std::vector<Measure> ForecastTask::validate(Workers& workers) const {
  if (validation_.values.empty()) return {};
  auto list = measures(evaluate(forecaster_, validation_, workers));
  list.back().shown = false;  // the naive one, the same after every epoch
  return list;
}

}  // namespace unroll::models
