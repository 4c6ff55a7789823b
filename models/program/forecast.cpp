#include <fmt/format.h>

#include <cmath>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/program/predict.h"
#include "models/tasks/forecast/task.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

struct Train {
  DataFiles files;
  ForecasterOptions model;
  TrainingOptions training{.epochs = 20, .batch = 64, .lr = 2e-3, .schedule = "cosine", .clip = 1};
  BadRows bad;
  bool json = false;

  void conditions(const Usage& usage) const {
    model.net.conditions(usage);
    usage({"variational"}, model.net.layers > 1, "--layers 1", "more layers: a forecast has no time steps");
    check_usage(usage, files, Cut::in_order, training);
  }
};

void run(Train train) {
  if (!train.model.inputs.empty())
    for (const std::string& target : train.model.targets)
      if (std::ranges::count(train.model.inputs, target) == 0) train.model.inputs.push_back(target);
  const ForecastData data = read_forecast_data(train.files, train.model, train.bad);
  train.model.inputs = data.parts[0].columns;
  Generator generator(train.training.seed);
  SavedForecaster forecaster({train.model, data.scaling}, generator);

  auto windows = [&](std::size_t part) {
    const NumberTable& table = data.parts[part];
    if (table.columns.empty()) return std::string("0");
    return with_commas(
        static_cast<Index>(window_starts(table, train.model.window, train.model.horizon).size()));
  };
  note(fmt::format(
      "{} windows to train on, {} to validate, {} to test; {} in, {} out, {} ahead, {}, {}", windows(0),
      windows(1), windows(2), counted(static_cast<Index>(train.model.inputs.size()), "column"),
      train.model.targets.size(), counted(train.model.horizon, "step"),
      counted(parameter_count(forecaster), "parameter"), counted(train.training.threads, "thread")));
  note_skipped(train.bad);

  ForecastTask task(forecaster, data.parts[0], data.parts[1], train.training);
  describe_split(train.training.others, train.files, Cut::in_order);
  train_and_print(task, forecaster, train.training, train.json, [&](Workers& workers, nlohmann::json& json) {
    json["skipped"] = train.bad.skipped();
    const NumberTable& test = data.parts[2];
    return test.values.empty() ? std::vector<Measure>() : measures(evaluate(forecaster, test, workers));
  });
}

struct Eval {
  std::string model;
  Measuring measuring;
};

void run(Eval eval) {
  Measuring& measuring = eval.measuring;
  const SavedForecaster forecaster = load_model<SavedForecaster>(eval.model);
  const ForecasterOptions& options = forecaster.options;
  const NumberTable table = read_number_table(measuring.data, options.inputs, measuring.bad);
  expect_windows(table, options, measuring.data);
  const std::size_t windows = window_starts(table, options.window, options.horizon).size();
  Workers workers(measuring.threads);
  const auto figures = measures(evaluate(forecaster, table, workers));
  print_figures(measuring, figures, {{"windows", windows}},
                fmt::format("{}; {} windows", in_words(figures), with_commas(static_cast<Index>(windows))));
}

struct Predict : Predicting {
  bool last = false;
};

// As RFC 4180 says.
std::string csv_field(std::string text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, "\"");
  return '"' + text + '"';
}

// For each row that ends a window: its number, then every target at each time of the horizon.
void run(Predict predict) {
  const SavedForecaster forecaster = load_model<SavedForecaster>(predict.model);
  const ForecasterOptions& options = forecaster.options;
  const NumberTable table = read_number_table(predict.data, options.inputs, predict.bad);
  note_skipped(predict.bad);
  auto starts = window_starts(table, options.window, 0);
  if (starts.empty())
    autograd::fail("forecast", fmt::format("{} rows came; needed at least {} in a row, a window",
                                           table.rows(), options.window));
  if (predict.last) starts.erase(starts.begin(), starts.end() - 1);
  Workers workers(predict.threads);
  const auto forecasts = forecast(forecaster, table, starts, workers);
  std::vector<std::string> names;
  for (Index h = 1; h <= options.horizon; ++h)
    for (const std::string& target : options.targets) names.push_back(fmt::format("{}+{}", target, h));
  if (!predict.json) {
    std::string header = "row";
    for (const std::string& name : names) header += ',' + csv_field(name);
    fmt::print("{}\n", header);
  }
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Index row = starts[i] + options.window;
    if (predict.json) {
      nlohmann::json figures;
      for (std::size_t n = 0; n < names.size(); ++n) figures[names[n]] = forecasts[i][n];
      fmt::print("{}\n", nlohmann::json{{"row", row}, {"forecast", figures}}.dump());
    } else {
      // The shortest form that comes back to the same float.
      fmt::print("{}", row);
      for (const double figure : forecasts[i])
        if (const auto f = static_cast<float>(figure); std::isfinite(f))
          fmt::print(",{}", f);
        else
          fmt::print(",{}", figure);
      fmt::print("\n");
    }
  }
}

void add_train(CLI::App& forecast) {
  auto [app, train] = add_command<Train>(
      forecast, "train", "Learn what numbers come next in a table; the model that validates best is saved.");
  add_data(app, train.files, Cut::in_order, "CSV with a header, rows in the order of time");
  app.add_option("--targets", train.model.targets, "columns to foretell")->delimiter(',')->required();
  app.add_option("--inputs", train.model.inputs, "columns to read; the targets are among them")
      ->delimiter(',')
      ->default_str("all");
  add_training(app, train.training, true);
  add_settings(app, train.model, train.model.net);
  refuse(app, "--embed", "numbers go in as they are, scaled");
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& forecast) {
  auto [app, eval] = add_command<Eval>(forecast, "eval", "How well a forecaster does on a table.");
  app.add_option("--model", eval.model, "file that `unroll forecast train` wrote")->required();
  add_measuring(app, eval.measuring, "CSV with a header");
}

void add_predict(CLI::App& forecast) {
  auto [app, predict] = add_command<Predict>(
      forecast, "predict", "What comes after each row of a table that ends a window, as CSV.");
  add_predicting(app, predict, "forecast", "CSV with a header");
  app.add_flag("--last", predict.last, "only what comes after the last row");
}

}  // namespace

void add_forecast(CLI::App& program) {
  CLI::App& forecast =
      *program.add_subcommand("forecast", "What numbers come next in a table: train, eval, predict.");
  forecast.require_subcommand(1);
  add_train(forecast);
  add_eval(forecast);
  add_predict(forecast);
}

}  // namespace unroll::models
