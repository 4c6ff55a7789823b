#include "models/training/record.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/system/error.h"
#include "models/training/progress.h"

namespace unroll::models {

using nlohmann::json;

namespace {

std::string in_words(const Measure& m) {
  if (m.form == Measure::Form::percent) return fmt::format("{} {:.1f} %", m.name, 100 * m.value);
  const double size = std::abs(m.value);
  if (size >= 1e6) return fmt::format("{} {:.3e}", m.name, m.value);
  return size < 10 ? fmt::format("{} {:.4f}", m.name, m.value) : fmt::format("{} {:.2f}", m.name, m.value);
}

json forms(std::span<const Measure> measures) {
  json list = json::array();
  for (const Measure& m : measures)
    list.push_back({{"name", m.name},
                    {"percent", m.form == Measure::Form::percent},
                    {"larger_is_better", m.larger_is_better},
                    {"shown", m.shown}});
  return list;
}

std::vector<Measure> measures_from(const json& forms, const json& values) {
  std::vector<Measure> measures;
  for (const json& form : forms) {
    Measure& m = measures.emplace_back();
    m = {.name = form.at("name"),
         .form = form.at("percent") ? Measure::Form::percent : Measure::Form::number,
         .larger_is_better = form.at("larger_is_better"),
         .shown = form.at("shown")};
    m.value = values.at(m.key());
  }
  return measures;
}

}  // namespace

std::string Measure::key() const {
  std::string text = name;
  for (char& c : text) c = c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string in_words(std::span<const Measure> measures) {
  std::string words;
  for (const Measure& m : measures)
    if (m.shown) words += (words.empty() ? "" : "  ") + in_words(m);
  return words;
}

std::string in_words(const Epoch& epoch, int epochs) {
  std::string line = fmt::format("epoch {}/{}  loss {:.4f}", epoch.number, epochs, epoch.loss);
  if (epoch.accuracy) line += fmt::format("  accuracy {:.1f} %", 100 * *epoch.accuracy);
  if (const std::string words = in_words(epoch.validation); !words.empty()) line += "  validation " + words;
  return line + "  " + clock_time(epoch.seconds);
}

json to_json(std::span<const Measure> measures) {
  json object = json::object();
  for (const Measure& m : measures) object[m.key()] = m.value;
  return object;
}

json to_json(const TrainingRecord& record, Times times) {
  json epochs = json::array();
  for (const Epoch& e : record.epochs) {
    json epoch = {{"epoch", e.number},
                  {"loss", e.loss},
                  {"gradient_norm", e.gradient},
                  {"learning_rate", e.learning_rate},
                  {"validation", to_json(e.validation)}};
    if (e.accuracy) epoch["accuracy"] = *e.accuracy;
    if (times == Times::all) epoch["seconds"] = e.seconds;
    epochs.push_back(std::move(epoch));
  }
  json object = {{"epochs", epochs},
                 {"measures", record.epochs.empty() ? json::array() : forms(record.epochs[0].validation)},
                 {"best_epoch", record.best_epoch},
                 {"stopped_early", record.stopped_early}};
  if (record.best_epoch > 0) object["validation"] = to_json(record.best().validation);
  if (times == Times::all) object["training_seconds"] = record.seconds();
  return object;
}

TrainingRecord record_from(const json& object) {
  TrainingRecord record;
  for (const json& e : object.at("epochs")) {
    Epoch epoch{.number = e.at("epoch"),
                .loss = e.at("loss"),
                .gradient = e.at("gradient_norm"),
                .learning_rate = e.at("learning_rate"),
                .accuracy = {},
                .validation = measures_from(object.at("measures"), e.at("validation")),
                .seconds = e.value("seconds", 0.0)};
    if (e.contains("accuracy")) epoch.accuracy = e["accuracy"].get<double>();
    record.epochs.push_back(std::move(epoch));
  }
  record.best_epoch = object.at("best_epoch");
  record.stopped_early = object.at("stopped_early");
  if (record.best_epoch < 0 || record.best_epoch > static_cast<int>(record.epochs.size()))
    autograd::fail("record", fmt::format("{} epochs came, the best of them number {}; needed one of them",
                                         record.epochs.size(), record.best_epoch));
  return record;
}

}  // namespace unroll::models
