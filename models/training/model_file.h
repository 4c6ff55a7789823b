// A model in one safetensors file: its parameters, and in the metadata what kind of model it is, its
// configuration, and its vocabularies and labels as JSON (docs/design/file-format.md). Every model is saved
// through this; one of a task of its own has it from models/training/saved.h.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "nn/safetensors.h"

namespace unroll::models {

using Setting = std::variant<bool, Index, double, std::string, std::vector<double>>;
using Configuration = std::map<std::string, Setting>;

nlohmann::json to_json(const Configuration& configuration);

/// What a model file says about its model, besides the parameters.
struct ModelCard {
  std::string kind;  // "classifier"
  Configuration configuration;
  std::map<std::string, std::vector<std::string>> lists;  // what ids stand for: "vocabulary", "labels"
};
nn::Metadata to_metadata(const ModelCard& card);

void save_model(const std::string& path, const ModelCard& card, std::span<const NamedParameter> parameters);

/// In a file of a run that has not ended, tensors that are not the model's have names that begin like this.
inline constexpr const char* kCheckpointPrefix = "checkpoint.";

/// A model file that has been read. Every mistake in it throws Error with the file's name.
class ModelFile {
 public:
  /// Throws Error if the file holds no model of this kind; "" for any.
  explicit ModelFile(const std::string& path, const std::string& kind = "");

  const ModelCard& card() const { return card_; }
  /// A setting of the configuration; throws Error if it is missing, of another type, or out of range.
  Index integer(const std::string& name, Index low, Index high) const;
  double real(const std::string& name, double low, double high) const;
  bool flag(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  const std::vector<double>& numbers(const std::string& name) const;
  const std::vector<std::string>& list(const std::string& name) const;
  /// The tensors of the model, without those of an unfinished run.
  std::span<const NamedTensor> tensors() const { return tensors_; }
  /// Those that were left out.
  std::span<const NamedTensor> checkpoint() const { return checkpoint_; }
  const nn::Metadata& metadata() const { return metadata_; }
  /// Fills the parameters, whose names and shapes must be those of the file, and whose numbers finite.
  void fill(std::span<const NamedParameter> parameters) const;
  [[noreturn]] void reject(const std::string& message) const;

 private:
  const Setting& setting(const std::string& name) const;
  const std::string& metadata(const std::string& name) const;

  std::string path_;
  std::vector<NamedTensor> tensors_, checkpoint_;
  nn::Metadata metadata_;
  ModelCard card_;
};

}  // namespace unroll::models
