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
#include <type_traits>
#include <utility>
#include <vector>

#include "models/settings/allowed.h"
#include "models/training/model_file.h"

namespace unroll::models {

/// What a model file or a report says about these options.
template <class... Options>
void describe(Configuration& configuration, const Options&... options) {
  auto each = [&]<class T, class May>(const char* name, const T& value, const May& may, const char*) {
    if constexpr (std::same_as<T, bool> || std::same_as<T, double> || std::same_as<T, std::string>)
      configuration[name] = value;
    else if constexpr (std::integral<T>)
      configuration[name] = static_cast<Index>(value);
    else
      configuration[name] = std::string(word_for(value, may));
  };
  (Options(options).settings(each), ...);
}

/// Options without those settings that a model has no use for.
template <class Options>
struct Without {
  Options& options;
  std::vector<std::string_view> names;

  template <class F>
  void settings(F&& each) {
    auto others = [&]<class T, class May>(const char* name, T& value, const May& may, const char* meaning) {
      if (std::ranges::find(names, name) == names.end()) each(name, value, may, meaning);
    };
    if constexpr (std::is_const_v<Options>)
      std::remove_const_t<Options>(options).settings(others);
    else
      options.settings(others);
  }
};
template <class Options>
Without<Options> without(Options& options, std::vector<std::string_view> names) {
  return {options, std::move(names)};
}

/// Reads these options from a model file; throws Error, naming the file, for what is missing or may not be.
template <class... Options>
void read_settings(const SavedModel& file, Options&&... options) {
  auto each = [&]<class T, class May>(const char* name, T& value, const May& may, const char*) {
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
  };
  (options.settings(each), ...);
}

}  // namespace unroll::models
