#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/training/checkpoint.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

constexpr std::size_t kShown = 6;  // entries of a list

struct Info {
  std::string model;
  bool json = false;
};

nlohmann::json described(const ModelFile& file) {
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

using Rows = std::vector<std::pair<std::string, std::string>>;

void print(const char* title, const Rows& rows) {
  std::size_t width = 0;
  for (const auto& [name, unused] : rows) width = std::max(width, name.size());
  fmt::print("\n{}\n", title);
  for (const auto& [name, value] : rows) fmt::print("  {:<{}}  {}\n", name, width, value);
}

Rows rows_of(const nlohmann::json& object) {
  Rows rows;
  for (const auto& [name, value] : object.items()) rows.emplace_back(name, value.dump());
  return rows;
}

// "26 entries: "Dutch", "Irish", ..."
std::string in_short(const std::vector<std::string>& list) {
  const std::size_t shown = std::min(list.size(), kShown);
  std::string text = fmt::format("{} entries", with_commas(static_cast<Index>(list.size())));
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? ": " : ", ") + nlohmann::json(list[i]).dump();
  return text + (shown < list.size() ? ", ..." : "");
}

void print(const ModelFile& file, const nlohmann::json& json, const std::string& path) {
  fmt::print("{}: {}, {} parameters\n", path, json["kind"].get<std::string>(),
             with_commas(json["parameters"].get<Index>()));
  Rows configuration = rows_of(json["configuration"]);
  for (const auto& [name, list] : file.card().lists) configuration.emplace_back(name, in_short(list));
  print("configuration", configuration);
  if (json.contains("training")) {
    const nlohmann::json& training = json["training"];
    const TrainingRecord record = record_from(training);
    Rows rows = rows_of(training["options"]);
    rows.emplace_back("epochs done", std::to_string(record.epochs.size()));
    rows.emplace_back("best epoch", std::to_string(record.best_epoch));
    if (record.best_epoch > 0)
      for (const Measure& m : record.best().validation)
        rows.emplace_back("best " + m.name, nlohmann::json(m.value).dump());
    rows.emplace_back("state", !training["finished"].get<bool>() ? "cut off; --resume goes on from here"
                               : record.stopped_early            ? "ended early"
                                                                 : "ended");
    print("training", rows);
  }
  Rows parameters;
  for (const nlohmann::json& t : json["tensors"])
    parameters.emplace_back(
        t["name"], fmt::format("{} {:<16}{:>12}", t["dtype"].get<std::string>(),
                               fmt::format("[{}]", fmt::join(t["shape"].get<std::vector<Index>>(), ", ")),
                               with_commas(t["count"].get<Index>())));
  print("parameters", parameters);
}

void run(const Info& info) {
  const ModelFile file(info.model);
  const nlohmann::json json = described(file);
  if (info.json)
    fmt::print("{}\n", json.dump());
  else
    print(file, json, info.model);
}

}  // namespace

void add_info(CLI::App& program) {
  auto [app, info] = add_command<Info>(program, "info",
                                       "What is in a model file: configuration, vocabularies, how it was "
                                       "trained, parameters with their shapes.");
  app.add_option("MODEL", info.model, "file that `unroll` wrote")->required();
  add_json(app, info.json);
}

}  // namespace unroll::models
