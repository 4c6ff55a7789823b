#include "models/program/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "autograd/system/atomic_file.h"

namespace unroll::models {

namespace {

constexpr int kMostThreads = 256;
constexpr const char* kOutput = "FILE";  // the type of an option whose file is written

template <class N>
CLI::Validator whole_number(Range<N> range, const std::string& shown) {
  return CLI::Validator(
      [=](const std::string& text) {
        N x = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
        if (error == std::errc() && end == text.data() + text.size() && x >= range.least && x <= range.most)
          return std::string();
        return fmt::format("'{}' came; needed a whole number from {} to {}", text, range.least, range.most);
      },
      shown);
}

}  // namespace

// CLI11 would take -1 for the largest one.
CLI::Validator any_seed() {
  return whole_number(Range<std::uint64_t>{0, std::numeric_limits<std::uint64_t>::max()}, "");
}

CLI::Validator in_range(Range<double> range) {
  return CLI::Validator(
      [=](const std::string& text) {
        char* end = nullptr;
        const double x = std::strtod(text.c_str(), &end);
        if (!text.empty() && *end == 0 && x >= range.least && x <= range.most) return std::string();
        return fmt::format("'{}' came; needed a number from {:g} to {:g}", text, range.least, range.most);
      },
      fmt::format("in [{:g} - {:g}]", range.least, range.most));
}

CLI::Validator in_range(Range<Index> range) {
  return whole_number(range, fmt::format("in [{} - {}]", range.least, range.most));
}

CLI::Validator accepted_by(Text allowed) {
  return CLI::Validator(
      [allowed](const std::string& text) {
        try {
          allowed.check(text);
          return std::string();
        } catch (const Error& e) {
          return std::string(e.what());
        }
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> words) {
  return CLI::Validator(
      [words = std::move(words)](const std::string& text) {
        if (std::ranges::count(words, text) > 0) return std::string();
        return fmt::format("'{}' came; needed one of {}", text, fmt::join(words, ", "));
      },
      "");
}

void refuse(CLI::App& app, const char* option, const std::string& why) {
  app.get_option(option)
      ->description("not here: " + why)
      ->default_str("")
      ->check(CLI::Validator([why](const std::string&) { return "came, but " + why; }, ""));
}

void Usage::operator()(std::initializer_list<const char*> options, bool effect, const std::string& with,
                       const std::string& needed) const {
  for (const char* option : options)
    if (!effect && app_.count(fmt::format("--{}", option)) > 0)
      refuse(fmt::format("--{} came with {}; needed {}", option, with, needed));
}

void Usage::refuse(const std::string& message) const {
  throw CLI::ValidationError(fmt::format("[{}] {}", command(), message));
}

void Usage::expect_different_outputs() const {
  namespace fs = std::filesystem;
  std::map<fs::path, std::string> options;
  std::error_code unknown;
  const auto given = [](const CLI::Option* o) { return o->get_type_name() == kOutput && o->count() > 0; };
  for (const CLI::Option* o : app_.get_options(given)) {
    const auto path = fs::weakly_canonical(fs::absolute(o->as<std::string>()), unknown);
    const auto [other, is_first] = options.emplace(path, o->get_name());
    if (!is_first)
      refuse(fmt::format("{} and {} came with the same file '{}'; needed one for each", other->second,
                         o->get_name(), o->as<std::string>()));
  }
}

std::string Usage::command() const {
  const std::string parent = app_.get_parent()->get_name();
  return parent == "unroll" ? app_.get_name() : fmt::format("{} {}", parent, app_.get_name());
}

CLI::Option* add_output(CLI::App& app, const std::string& option, std::string& path,
                        const Beginning& beginning, const std::string& description) {
  const auto mistake = [beginning](const std::string& name) {
    if (name.empty()) return std::string("'' came; needed the name of a file");
    try {
      const autograd::AtomicFile trial(name, SourceLocation{});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    std::string head(beginning.offset + std::strlen(beginning.text), 0);
    std::ifstream file(name, std::ios::binary);
    file.read(head.data(), static_cast<std::streamsize>(head.size()));
    if (file.gcount() == 0 || head.substr(beginning.offset) == beginning.text) return std::string();
    return fmt::format("'{}' is there and holds something else; remove it first, or give another name", name);
  };
  return app.add_option(option, path, description)->type_name(kOutput)->check(CLI::Validator(mistake, ""));
}

void add_training(CLI::App& app, TrainingOptions& options, bool out_required) {
  add_settings(app, options);
  add_seed(app, options.seed);
  add_threads(app, options.threads);
  CLI::Option* out = add_output(app, "--out", options.out, kModelFile, "file for the model (safetensors)");
  if (out_required) out->required();
  app.add_flag("--resume", options.resume, "go on where a run that was cut off left --out, if it is there")
      ->needs(out);
  app.add_option("--checkpoint", options.checkpoint_every,
                 "seconds between checkpoints within an epoch; there is one after each")
      ->check(in_range(Range<double>{0, 1e9}))
      ->capture_default_str();
  add_output(app, "--plot", options.plot, kPicture, "SVG file for the learning curves");
  CLI::Option* inspect =
      add_output(app, "--inspect", options.inspect, kPage,
                 "HTML file for what becomes of gradients, gates, time and memory, and the run so far")
          ->take_last();  // quickstart.sh gives one before those of its user
  app.add_option("--inspect-every", options.inspect_every, "batches after which it is written anew")
      ->check(in_range(Range<Index>{1, 1 << 30}))
      ->capture_default_str()
      ->needs(inspect);
}

void add_threads(CLI::App& app, int& threads) {
  threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
  app.add_option("--threads", threads, "threads that split each batch")
      ->check(in_range(Range<Index>{1, kMostThreads}))
      ->capture_default_str();
}

void add_seed(CLI::App& app, std::uint64_t& seed) {
  app.add_option("--seed", seed, "of all random numbers")->check(any_seed())->capture_default_str();
}

void add_json(CLI::App& app, bool& json, const char* what) { app.add_flag("--json", json, what); }

nlohmann::json report(const TrainingOptions& options, const ModelCard& card, const TrainingRecord& record,
                      Index parameter_count) {
  nlohmann::json json = to_json(record);
  json["options"] = to_json(options);
  json["kind"] = card.kind;
  json["model"] = to_json(card.configuration);
  json["parameters"] = parameter_count;
  return json;
}

}  // namespace unroll::models
