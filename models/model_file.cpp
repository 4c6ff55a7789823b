#include "models/model_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace unroll::models {

using nlohmann::json;

namespace {

constexpr const char* kKind = "unroll.model";
constexpr const char* kConfiguration = "unroll.configuration";
constexpr const char* kVocabulary = "unroll.vocabulary";

json to_json(const Configuration& configuration) {
  json object = json::object();
  for (const auto& entry : configuration)
    std::visit([&](const auto& value) { object[entry.first] = value; }, entry.second);
  return object;
}

Configuration to_configuration(const json& object) {
  Configuration configuration;
  for (const auto& [name, value] : object.items()) {
    if (value.is_number_integer())
      configuration[name] = value.get<Index>();
    else if (value.is_number())
      configuration[name] = value.get<double>();
    else
      configuration[name] = value.get<std::string>();
  }
  return configuration;
}

}  // namespace

void save_model(const std::string& path, const std::string& kind, const Configuration& configuration,
                const Vocabulary& vocabulary, std::span<const NamedParameter> parameters) {
  nn::save_parameters(parameters, path,
                      {{kKind, kind},
                       {kConfiguration, to_json(configuration).dump()},
                       {kVocabulary, json(vocabulary.tokens()).dump()}});
}

SavedModel::SavedModel(const std::string& path, const std::string& kind)
    : path_(path), content_(nn::read_safetensors(path, Where{})) {
  if (metadata(kKind) != kind)
    reject(fmt::format("holds a model of the kind {}; needed a {}", nn::in_quotes(metadata(kKind)), kind));
  try {
    configuration_ = to_configuration(json::parse(metadata(kConfiguration)));
    vocabulary_ = Vocabulary(json::parse(metadata(kVocabulary)).get<std::vector<std::string>>());
  } catch (const json::exception& e) {
    reject(fmt::format("has a configuration or vocabulary that is not what unroll writes: {}", e.what()));
  }
}

void SavedModel::reject(const std::string& message) const {
  autograd::fail("model", fmt::format("{} {}", path_, message));
}

const std::string& SavedModel::metadata(const std::string& name) const {
  const auto it = content_.metadata.find(name);
  if (it == content_.metadata.end())
    reject(fmt::format("has no '{}' in its metadata; needed a model that unroll saved", name));
  return it->second;
}

const Setting& SavedModel::setting(const std::string& name) const {
  const auto it = configuration_.find(name);
  if (it == configuration_.end()) reject(fmt::format("has no setting '{}' in its configuration", name));
  return it->second;
}

Index SavedModel::integer(const std::string& name, Index low, Index high) const {
  const Index* value = std::get_if<Index>(&setting(name));
  if (!value || *value < low || *value > high)
    reject(fmt::format("has a bad setting '{}'; needed a whole number from {} to {}", name, low, high));
  return *value;
}

double SavedModel::real(const std::string& name, double low, double high) const {
  const Setting& s = setting(name);
  const Index* whole = std::get_if<Index>(&s);
  const double* value = std::get_if<double>(&s);
  const double number = whole ? static_cast<double>(*whole) : value ? *value : low - 1;
  if (!(number >= low && number <= high))
    reject(fmt::format("has a bad setting '{}'; needed a number from {} to {}", name, low, high));
  return number;
}

const std::string& SavedModel::text(const std::string& name) const {
  const std::string* value = std::get_if<std::string>(&setting(name));
  if (!value) reject(fmt::format("has a bad setting '{}'; needed a text", name));
  return *value;
}

void SavedModel::fill(std::span<const NamedParameter> parameters) const {
  std::vector<nn::Destination> into;
  for (const auto& [name, p] : parameters) into.push_back({name, &p->value()});
  nn::assign(content_.tensors, into, "model", path_, Where{});
}

}  // namespace unroll::models
