#include "models/tasks/forecast/task.h"

#include <algorithm>
#include <cmath>

#include "models/data/digest.h"
#include "models/data/shuffle.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr std::size_t kMeasuredAtOnce = 256;

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
  const std::vector<std::size_t> columns = f.target_columns();
  std::vector<float> numbers;
  for (const Index start : starts)
    for (Index h = 0; h < f.options.horizon; ++h)
      for (const std::size_t column : columns)
        numbers.push_back(
            static_cast<float>(f.scaling.scaled(table.at(start + f.options.window + h, column), column)));
  return numbers;
}

}  // namespace

std::vector<std::vector<double>> forecast(const SavedForecaster& f, const NumberTable& table,
                                          std::span<const Index> starts, Workers& workers) {
  const std::vector<std::size_t> columns = f.target_columns();
  std::vector<std::vector<double>> result(starts.size());
  const std::size_t batches = (starts.size() + kMeasuredAtOnce - 1) / kMeasuredAtOnce;
  workers.measure(batches, [&](Worker& worker, std::size_t b) {
    const std::size_t begin = b * kMeasuredAtOnce;
    const auto some = starts.subspan(begin, std::min(kMeasuredAtOnce, starts.size() - begin));
    const auto layout = ops::Layout::uniform(static_cast<Index>(some.size()), f.options.window);
    const Var answers = outputs(f, worker.tape, table, some, layout, nullptr);
    expect_finite(answers, "forecast");
    const Tensor scaled = answers.tensor();
    for (std::size_t i = 0; i < some.size(); ++i)
      for (Index o = 0; o < f.outputs(); ++o)
        result[begin + i].push_back(
            finite(f.scaling.original(scaled.at(static_cast<Index>(i) * f.outputs() + o),
                                      columns[static_cast<std::size_t>(o) % columns.size()]),
                   "forecast"));
  });
  return result;
}

ForecastScore evaluate(const SavedForecaster& f, const NumberTable& table, Workers& workers) {
  const auto starts = window_starts(table, f.options.window, f.options.horizon);
  const auto forecasts = forecast(f, table, starts, workers);
  const std::vector<std::size_t> columns = f.target_columns();
  ForecastScore score;
  double scaled = 0, squares = 0, distances = 0, naive = 0, count = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Index now = starts[i] + f.options.window;
    for (Index h = 0; h < f.options.horizon; ++h)
      for (std::size_t k = 0; k < columns.size(); ++k) {
        const std::size_t column = columns[k], at = static_cast<std::size_t>(h) * columns.size() + k;
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
