#include "models/training/learning_curves.h"

#include <fmt/format.h>

#include "models/training/chart.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

Chart& chart_named(std::vector<Chart>& charts, const std::string& name, bool percent) {
  for (Chart& chart : charts)
    if (chart.title == name) return chart;
  return charts.emplace_back(Chart{
      .title = name, .x_label = "epoch", .y_label = name == "loss" ? "nats" : "", .percent_y = percent});
}

// f(epoch) by epoch.
template <class F>
Curve series(const TrainingRecord& record, const char* name, int colour, F f) {
  Curve s{.name = name, .colour = colour};
  for (const Epoch& e : record.epochs) {
    s.x.push_back(e.number);
    s.y.push_back(f(e));
  }
  return s;
}

}  // namespace

void plot_learning_curves(const std::string& path, const TrainingRecord& record) {
  std::vector<Chart> charts;
  chart_named(charts, "loss", false).series.push_back(series(record, "training", 0, [](const Epoch& e) {
    return e.loss;
  }));
  if (record.epochs.at(0).accuracy)
    chart_named(charts, "accuracy", true).series.push_back(series(record, "training", 0, [](const Epoch& e) {
      return *e.accuracy;
    }));
  const auto& measures = record.epochs[0].validation;
  for (std::size_t i = 0; i < measures.size(); ++i)
    chart_named(charts, measures[i].name, measures[i].form == Measure::Form::percent)
        .series.push_back(
            series(record, "validation", 1, [&](const Epoch& e) { return e.validation[i].value; }));
  std::string subtitle = counted(static_cast<Index>(record.epochs.size()), "epoch");
  if (!measures.empty())
    subtitle += fmt::format("; best on the validation part: epoch {}, {}", record.best_epoch,
                            in_words(record.best().validation));
  write_svg(path, "Learning curves", subtitle, charts);
}

}  // namespace unroll::models
