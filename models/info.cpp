#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint.h"
#include "models/command_line.h"
#include "models/programs.h"
#include "models/progress.h"

namespace unroll::models {

namespace {

struct Info {
  std::string model;
  bool json = false;
};

nlohmann::json described(const SavedModel& file) {
  nlohmann::json json = {{"kind", file.card().kind},
                         {"configuration", to_json(file.card().configuration)},
                         {"lists", nlohmann::json::object()},
                         {"tensors", nlohmann::json::array()},
                         {"parameters", 0}};
  for (const auto& [name, list] : file.card().lists) json["lists"][name] = list.size();
  Index count = 0;
  for (const NamedTensor& t : file.tensors()) {
    std::vector<Index> shape;
    for (int i = 0; i < t.tensor.shape().rank(); ++i) shape.push_back(t.tensor.shape()[i]);
    json["tensors"].push_back({{"name", t.name},
                               {"shape", shape},
                               {"dtype", autograd::name_of(t.tensor.dtype())},
                               {"count", t.tensor.size()}});
    count += t.tensor.size();
  }
  json["parameters"] = count;
  if (auto training = training_of(file)) json["training"] = *std::move(training);
  return json;
}

void print(const nlohmann::json& json, const std::string& path) {
  fmt::print("{}: {}, {} parameters\n", path, json["kind"].get<std::string>(),
             with_commas(json["parameters"].get<Index>()));
  fmt::print("\nconfiguration\n");
  for (const auto& [name, value] : json["configuration"].items())
    fmt::print("  {:<16}{}\n", name, value.dump());
  for (const auto& [name, size] : json["lists"].items())
    fmt::print("  {:<16}{} entries\n", name, with_commas(size.get<Index>()));
  if (json.contains("training")) {
    const nlohmann::json& training = json["training"];
    fmt::print("\ntraining\n");
    const TrainingRecord record = record_from(training);
    for (const auto& [name, value] : training["options"].items())
      fmt::print("  {:<16}{}\n", name, value.dump());
    fmt::print("  {:<16}{}\n", "epochs done", record.epochs.size());
    fmt::print("  {:<16}{}\n", "best epoch", record.best_epoch);
    if (record.best_epoch > 0)
      for (const Measure& m : record.best().validation)
        fmt::print("  {:<16}{}\n", "best " + m.name, nlohmann::json(m.value).dump());
    fmt::print("  {:<16}{}\n", "state",
               !training["finished"].get<bool>() ? "cut off; --resume goes on from here"
               : record.stopped_early            ? "ended early"
                                                 : "ended");
  }
  std::size_t width = 0;
  for (const nlohmann::json& t : json["tensors"])
    width = std::max(width, t["name"].get<std::string>().size());
  fmt::print("\nparameters\n");
  for (const nlohmann::json& t : json["tensors"])
    fmt::print("  {:<{}}  {} {:<16}{:>12}\n", t["name"].get<std::string>(), width,
               t["dtype"].get<std::string>(),
               fmt::format("[{}]", fmt::join(t["shape"].get<std::vector<Index>>(), ", ")),
               with_commas(t["count"].get<Index>()));
}

void run(const Info& info) {
  const nlohmann::json json = described(SavedModel(info.model));
  if (info.json)
    fmt::print("{}\n", json.dump());
  else
    print(json, info.model);
}

}  // namespace

void add_info(CLI::App& program) {
  auto [app, info] = add_command<Info>(program, "info",
                                       "What is in a model file: configuration, vocabularies, how it was "
                                       "trained, parameters with their shapes.");
  app.add_option("model", info.model, "file that `unroll` wrote")->required();
  add_json(app, info.json);
}

}  // namespace unroll::models
