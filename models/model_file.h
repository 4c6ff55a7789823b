// A model in one safetensors file: its parameters, and in the metadata what kind of model it is, its
// configuration and its vocabulary as JSON. Text classifiers and language models are saved through this.
#pragma once
#include <map>
#include <span>
#include <string>
#include <variant>

#include "models/vocabulary.h"
#include "nn/safetensors.h"

namespace unroll::models {

using Setting = std::variant<Index, double, std::string>;
using Configuration = std::map<std::string, Setting>;

void save_model(const std::string& path, const std::string& kind, const Configuration& configuration,
                const Vocabulary& vocabulary, std::span<const NamedParameter> parameters);

/// A model file that has been read. Every mistake in it throws Error with the file's name.
class SavedModel {
 public:
  /// Throws Error if the file holds no model of this kind.
  SavedModel(const std::string& path, const std::string& kind);

  /// A setting of the configuration; throws Error if it is missing, of another type, or out of range.
  Index integer(const std::string& name, Index low, Index high) const;
  double real(const std::string& name, double low, double high) const;
  const std::string& text(const std::string& name) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }
  /// Fills the parameters, whose names and shapes must be those of the file.
  void fill(std::span<const NamedParameter> parameters) const;

 private:
  const Setting& setting(const std::string& name) const;
  const std::string& metadata(const std::string& name) const;
  [[noreturn]] void reject(const std::string& message) const;

  std::string path_;
  nn::SafeTensors content_;
  Configuration configuration_;
  Vocabulary vocabulary_;
};

}  // namespace unroll::models
