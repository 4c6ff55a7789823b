// Settings of nets, models and runs. Each is declared once, with its name, what it may be and what it means;
// the command line asks for it, --json prints it, a model file repeats it, and --resume needs it to be the
// same.
//
//   struct NetOptions {
//     Index hidden = 128;
//     CellKind cell = CellKind::gru;
//     template <class F>
//     void settings(F&& each) {
//       each("hidden", hidden, Range<Index>{1, 16384}, "units of a layer");
//       each("cell", cell, kCells, "recurrent cell");
//     }
//     template <class F>
//     void conditions(F&& effect) const {
//       effect({"cell"}, hidden > 1, "--hidden 1", "more units");
//     }
//   };
//
// conditions(), which may be missing, says which of them have an effect under which condition: the command
// line refuses the others, "--cell came with --hidden 1; needed more units".
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/settings/allowed.h"
#include "models/training/model_file.h"

namespace unroll::models {

/// Shown settings, says them in a configuration.
struct SettingsWriter {
  Configuration& configuration;

  explicit SettingsWriter(Configuration& c) : configuration(c) {}
  template <class T, class May>
  void operator()(const char* name, const T& value, const May& may, const char*) const {
    if constexpr (std::same_as<T, bool> || std::same_as<T, double> || std::same_as<T, std::string>)
      configuration[name] = value;
    else if constexpr (std::integral<T>)
      configuration[name] = static_cast<Index>(value);
    else
      configuration[name] = std::string(word_for(value, may));
  }
};

/// Shown settings, reads them from a model file; throws Error, naming the file, for what is missing or may
/// not be.
struct SettingsReader {
  const ModelFile& file;

  explicit SettingsReader(const ModelFile& f) : file(f) {}
  template <class T, class May>
  void operator()(const char* name, T& value, const May& may, const char*) const {
    if constexpr (std::same_as<T, bool>)
      value = file.flag(name);
    else if constexpr (std::same_as<T, double>)
      value = file.real(name, may.least, may.most);
    else if constexpr (std::integral<T>)
      value = static_cast<T>(file.integer(name, may.least, may.most));
    else if constexpr (std::same_as<T, std::string>)
      value = file.text(name);
    else if (!find_word(file.text(name), may, value))
      file.reject(
          fmt::format("has {} as '{}'; needed {}", nn::in_quotes(file.text(name)), name, alternatives(may)));
  }
};

/// What a model file or a report says about these options.
template <class... Options>
void describe(Configuration& configuration, Options... options) {
  (options.settings(SettingsWriter(configuration)), ...);
}

/// Options without those settings that a model has no use for.
template <class Options>
struct Without {
  Options& options;
  std::vector<std::string_view> names;

  template <class F>
  void settings(F&& each) {
    options.settings([&](const char* name, auto& value, const auto& may, const char* meaning) {
      if (std::ranges::find(names, name) == names.end()) each(name, value, may, meaning);
    });
  }
};
template <class Options>
Without<Options> without(Options& options, std::vector<std::string_view> names) {
  return {options, std::move(names)};
}

}  // namespace unroll::models
