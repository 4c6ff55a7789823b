// What the subcommands of `unroll` have in common: one word for one thing, described once.
#pragma once
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/tasks/net_options.h"
#include "models/training/options.h"
#include "models/training/record.h"

namespace unroll::models {

/// What --train programs have in common: TrainingOptions::settings, --seed --threads --out --resume
/// --checkpoint --plot. Defaults are what `options` holds.
void add_training(CLI::App& app, TrainingOptions& options, bool out_required);
void add_threads(CLI::App& app, int& threads);
void add_seed(CLI::App& app, std::uint64_t& seed);
void add_json(CLI::App& app, bool& json, const char* what = "print one JSON object on stdout");

/// A number within this range, which NaN is not.
CLI::Validator in_range(Range<double> range);
CLI::Validator in_range(Range<Index> range);
CLI::Validator any_seed();
/// A text that check() does not throw for.
CLI::Validator accepted_by(Text text);
/// One of several words.
CLI::Validator one_of(std::vector<std::string> words);

/// How files of a kind begin: with `text` at byte `offset`.
struct Beginning {
  std::size_t offset;
  const char* text;
};
inline constexpr Beginning kModelFile{8, "{"}, kPicture{0, "<svg"}, kPage{0, "<!doctype html>"};
/// An option for a file that will be written: a new one, or one of its kind, in a folder that lets it be; no
/// two of a program may be the same. So nobody loses a text to a slip of the hand, nor trains for an hour in
/// vain.
CLI::Option* add_output(CLI::App& app, const std::string& option, std::string& path,
                        const Beginning& beginning, const std::string& description);

/// An option that takes one of these words; `value` is an enumeration or an optional of one.
template <class T, class List>
CLI::Option* add_choice(CLI::App& app, const std::string& option, T& value, const List& list,
                        const std::string& description) {
  std::vector<std::string> words;
  for (const auto& entry : list) words.emplace_back(entry.word);
  CLI::Option* added = app.add_option_function<std::string>(
      option,
      [&value, &list](const std::string& word) {
        for (const auto& entry : list)
          if (word == entry.word) value = entry.value;
      },
      fmt::format("{}: {}", description, alternatives(list)));
  added->check(one_of(std::move(words)));
  if constexpr (WordsFor<List, T>) added->default_str(word_for(value, list));
  return added;
}

/// An option for each setting; defaults are what `options` hold.
template <class... Options>
void add_settings(CLI::App& app, Options&... options) {
  auto each = [&]<class T, class May>(const char* name, T& value, const May& may, const char* description) {
    const std::string option = fmt::format("--{}", name);
    if constexpr (std::same_as<T, bool>)
      app.add_flag(fmt::format("{},!--no-{}", option, name), value, description)
          ->default_str(value ? "true" : "false");
    else if constexpr (std::same_as<T, double>)
      app.add_option(option, value, description)->check(in_range(may))->capture_default_str();
    else if constexpr (std::integral<T>)
      app.add_option(option, value, description)
          ->check(in_range(Range<Index>{may.least, may.most}))
          ->capture_default_str();
    else if constexpr (std::same_as<T, std::string>)
      app.add_option(option, value, description)->check(accepted_by(may))->capture_default_str();
    else
      add_choice(app, option, value, may, description);
  };
  (options.settings(each), ...);
}

/// Says of an option that is there for all programs why it may not come here.
void refuse(CLI::App& app, const char* option, const std::string& why);

/// What options need of each other, asked when all are known, and before any data are read. Every mistake is
/// one in the use of the program, as a word is that no option takes.
class Usage {
 public:
  explicit Usage(const CLI::App& app) : app_(app) {}
  /// Where these options can have no `effect`: "[lm train] --tied came with --level notes; needed --level
  /// char or word" for one that came.
  void operator()(std::initializer_list<const char*> options, bool effect, const std::string& with,
                  const std::string& needed) const;
  [[noreturn]] void refuse(const std::string& message) const;
  /// Where two options of add_output() name one file.
  void expect_different_outputs() const;
  /// "lm train"
  std::string command() const;

 private:
  const CLI::App& app_;
};

/// A subcommand that fills an Options, asks it for its conditions(const Usage&), if it has some, and runs it,
/// unless it has a subcommand itself: run(const Options&).
template <class Options>
struct Command {
  CLI::App& app;
  Options& options;
};
template <class Options>
Command<Options> add_command(CLI::App& parent, const char* name, const char* description,
                             const Options& defaults = {}) {
  CLI::App& app = *parent.add_subcommand(name, description);
  auto options = std::make_shared<Options>(defaults);
  app.callback([options, &app] {
    if (!app.get_subcommands().empty()) return;
    const Usage usage(app);
    usage.expect_different_outputs();
    if constexpr (requires { options->conditions(usage); }) options->conditions(usage);
    run(*options);
  });
  return {app, *options};
}

/// Every figure of a training run for --json: the options, the record, the parameters.
nlohmann::json report(const TrainingOptions& options, const ModelCard& card, const TrainingRecord& record,
                      Index parameter_count);

}  // namespace unroll::models
