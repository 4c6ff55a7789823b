#include "models/training/model_file.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/data/json.h"

namespace unroll::models {

using nlohmann::json;

namespace {

constexpr const char* kKind = "unroll.model";
constexpr const char* kConfiguration = "unroll.configuration";
constexpr const char* kLists = "unroll.lists";

Configuration to_configuration(const json& object) {
  Configuration configuration;
  for (const auto& [name, value] : object.items()) {
    if (value.is_boolean())
      configuration[name] = value.get<bool>();
    else if (value.is_number_integer())
      configuration[name] = value.get<Index>();
    else if (value.is_number())
      configuration[name] = value.get<double>();
    else if (value.is_array())
      configuration[name] = value.get<std::vector<double>>();
    else
      configuration[name] = value.get<std::string>();
  }
  return configuration;
}

bool all_finite(const Tensor& tensor) {
  for (Index i = 0; i < tensor.size(); ++i)
    if (!std::isfinite(tensor.at(i))) return false;
  return true;
}

}  // namespace

json to_json(const Configuration& configuration) {
  json object = json::object();
  for (const auto& entry : configuration)
    std::visit([&](const auto& value) { object[entry.first] = value; }, entry.second);
  return object;
}

nn::Metadata to_metadata(const ModelCard& card) {
  return {{kKind, card.kind},
          {kConfiguration, to_json(card.configuration).dump()},
          {kLists, json(card.lists).dump()}};
}

void save_model(const std::string& path, const ModelCard& card, std::span<const NamedParameter> parameters) {
  nn::save_parameters(parameters, path, to_metadata(card));
}

ModelFile::ModelFile(const std::string& path, const std::string& kind) : path_(path) {
  nn::SafeTensors content = nn::read_safetensors(path, SourceLocation{});
  metadata_ = std::move(content.metadata);
  for (NamedTensor& tensor : content.tensors)
    (tensor.name.starts_with(kCheckpointPrefix) ? checkpoint_ : tensors_).push_back(std::move(tensor));
  card_.kind = metadata(kKind);
  if (!kind.empty() && card_.kind != kind)
    reject(fmt::format("holds a model of the kind {}; needed a {}", nn::in_quotes(card_.kind), kind));
  try {
    card_.configuration = to_configuration(parse_json(metadata(kConfiguration)));
    card_.lists = parse_json(metadata(kLists)).get<decltype(card_.lists)>();
  } catch (const json::exception& e) {
    reject(fmt::format("has a configuration or vocabulary that is not what unroll writes: {}", e.what()));
  }
}

void ModelFile::reject(const std::string& message) const {
  autograd::fail("model", fmt::format("{} {}", path_, message));
}

const std::string& ModelFile::metadata(const std::string& name) const {
  const auto it = metadata_.find(name);
  if (it == metadata_.end())
    reject(fmt::format("has no '{}' in its metadata; needed a model that unroll saved", name));
  return it->second;
}

const Setting& ModelFile::setting(const std::string& name) const {
  const auto it = card_.configuration.find(name);
  if (it == card_.configuration.end()) reject(fmt::format("has no setting '{}' in its configuration", name));
  return it->second;
}

Index ModelFile::integer(const std::string& name, Index low, Index high) const {
  const Index* value = std::get_if<Index>(&setting(name));
  if (!value || *value < low || *value > high)
    reject(fmt::format("has a bad setting '{}'; needed a whole number from {} to {}", name, low, high));
  return *value;
}

double ModelFile::real(const std::string& name, double low, double high) const {
  const Setting& s = setting(name);
  const Index* whole = std::get_if<Index>(&s);
  const double* value = std::get_if<double>(&s);
  const double number = whole ? static_cast<double>(*whole) : value ? *value : low - 1;
  if (!(number >= low && number <= high))
    reject(fmt::format("has a bad setting '{}'; needed a number from {} to {}", name, low, high));
  return number;
}

bool ModelFile::flag(const std::string& name) const {
  const bool* value = std::get_if<bool>(&setting(name));
  if (!value) reject(fmt::format("has a bad setting '{}'; needed true or false", name));
  return *value;
}

const std::string& ModelFile::text(const std::string& name) const {
  const std::string* value = std::get_if<std::string>(&setting(name));
  if (!value) reject(fmt::format("has a bad setting '{}'; needed a text", name));
  return *value;
}

const std::vector<double>& ModelFile::numbers(const std::string& name) const {
  const auto* value = std::get_if<std::vector<double>>(&setting(name));
  if (!value) reject(fmt::format("has a bad setting '{}'; needed a list of numbers", name));
  return *value;
}

const std::vector<std::string>& ModelFile::list(const std::string& name) const {
  const auto it = card_.lists.find(name);
  if (it == card_.lists.end()) reject(fmt::format("has no list '{}'", name));
  return it->second;
}

void ModelFile::fill(std::span<const NamedParameter> parameters) const {
  std::vector<nn::Destination> into;
  for (const auto& [name, p] : parameters) into.push_back({name, &p->value()});
  nn::assign(tensors_, into, "model", path_, SourceLocation{});
  for (const auto& [name, p] : parameters)
    if (!all_finite(p->value()))
      reject(fmt::format("has a number in '{}' that is not finite; needed a model to compute with", name));
}

}  // namespace unroll::models
