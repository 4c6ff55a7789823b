#include "models/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace unroll::models {

namespace {

constexpr int kMostThreads = 256;

// One of several words; what CLI11 shows of the map behind them is of no use to anybody.
template <class E>
void add_choice(CLI::App& app, const char* name, E& value, std::initializer_list<E> choices,
                const char* description) {
  std::map<std::string, E> words;
  for (const E choice : choices) words[name_of(choice)] = choice;
  const auto number = [words](std::string& text) {
    const auto found = words.find(text);
    std::vector<std::string> names;
    for (const auto& word : words) names.push_back(word.first);
    if (found == words.end()) return fmt::format("'{}' came; needed one of {}", text, fmt::join(names, ", "));
    text = std::to_string(static_cast<int>(found->second));
    return std::string();
  };
  app.add_option(name, value, description)
      ->transform(CLI::Validator(number, ""))
      ->default_str(name_of(value));
}

// Names are checked where they are understood, which throws Error; here it becomes a wrong use.
template <class F>
CLI::Validator checked(F f) {
  return CLI::Validator(
      [f](const std::string& text) {
        try {
          f(text);
          return std::string();
        } catch (const Error& e) {
          return std::string(e.what());
        }
      },
      "");
}

// CLI11 would take -1 for the largest seed.
std::string whole_number(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return fmt::format("'{}' came; needed a whole number from 0 to 18446744073709551615", text);
}

}  // namespace

CLI::Validator in_range(double least, double most) {
  return CLI::Validator(
      [=](const std::string& text) {
        char* end = nullptr;
        const double x = std::strtod(text.c_str(), &end);
        if (!text.empty() && *end == 0 && x >= least && x <= most) return std::string();
        return fmt::format("'{}' came; needed a number from {:g} to {:g}", text, least, most);
      },
      fmt::format("in [{:g} - {:g}]", least, most));
}

CLI::Validator output_file(std::size_t offset, const char* begins) {
  return CLI::Validator(
      [=](const std::string& path) {
        namespace fs = std::filesystem;
        std::error_code unknown;
        const auto refuse = [&](const char* why) { return fmt::format("'{}' {}", path, why); };
        if (path.empty()) return refuse("came; needed the name of a file");
        if (!fs::exists(path, unknown)) {
          const fs::path folder = fs::path(path).parent_path();
          if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
            return refuse("cannot be made: its folder is missing or not writable");
          return std::string();
        }
        if (!fs::is_regular_file(path, unknown)) return refuse("is no regular file");
        std::string head(offset + std::strlen(begins), 0);
        std::ifstream file(path, std::ios::binary);
        file.read(head.data(), static_cast<std::streamsize>(head.size()));
        if (file.gcount() > 0 && head.substr(offset) != begins)
          return refuse("is there and holds something else; remove it first, or give another name");
        return std::string();
      },
      "");
}

void add_training(CLI::App& app, TrainingOptions& options, bool out_required) {
  app.add_option("--epochs", options.epochs, "passes over the training part")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "sequences that are learned from at once")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--optimizer", options.optimizer, "sgd, momentum, nesterov, rmsprop, adagrad, adam or adamw")
      ->check(checked([](const std::string& name) { rule_named(name, 1); }))
      ->capture_default_str();
  app.add_option("--lr", options.lr, "learning rate at the start")
      ->check(in_range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--weight-decay", options.weight_decay, "L2 regularisation; decoupled for adamw")
      ->check(in_range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--schedule", options.schedule,
                 "constant; cosine, down to a twentieth; decay:N:F, after epoch N times F an epoch; "
                 "plateau:N:F, times F after N validations without improvement")
      ->check(checked([](const std::string& name) { EpochSchedule{name}; }))
      ->capture_default_str();
  app.add_option("--clip", options.clip, "largest global norm of the gradient; 0 for any")
      ->check(in_range(0, 1e9))
      ->capture_default_str();
  app.add_option("--patience", options.patience, "stop after so many epochs without improvement; 0 for never")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  add_seed(app, options.seed);
  add_threads(app, options.threads);
  CLI::Option* out =
      app.add_option("--out", options.out, "file for the model (safetensors)")->check(output_file(8, "{"));
  if (out_required) out->required();
  app.add_flag("--resume", options.resume, "go on where a run that was cut off left --out, if it is there")
      ->needs(out);
  app.add_option("--checkpoint", options.checkpoint_every,
                 "seconds between checkpoints within an epoch; there is one after each")
      ->check(in_range(0, 1e9))
      ->capture_default_str();
  app.add_option("--plot", options.plot, "SVG file for the learning curves")->check(output_file(0, "<svg"));
}

void add_net(CLI::App& app, NetOptions& options) {
  add_choice(app, "--cell", options.cell, {CellKind::elman, CellKind::gru, CellKind::lstm},
             "recurrent cell: elman, gru, lstm");
  app.add_option("--embed", options.embed, "numbers that stand for a token")
      ->check(CLI::Range(Index{1}, kLargestExtent))
      ->capture_default_str();
  app.add_option("--hidden", options.hidden, "units of a layer, in each direction")
      ->check(CLI::Range(Index{1}, kLargestExtent))
      ->capture_default_str();
  app.add_option("--layers", options.layers, "recurrent layers")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--dropout", options.dropout, "share of numbers set to zero in training")
      ->check(in_range(0.0, 0.95))
      ->capture_default_str();
  app.add_flag("--variational", options.variational, "drop the same numbers at every time step");
}

void add_bidirectional(CLI::App& app, NetOptions& options) {
  app.add_flag("--bidirectional,!--no-bidirectional", options.bidirectional,
               "read in both directions, with weights of their own")
      ->default_str(options.bidirectional ? "true" : "false");
}

void add_pool(CLI::App& app, NetOptions& options) {
  add_choice(app, "--pool", options.pool,
             {nn::Pool::last, nn::Pool::mean, nn::Pool::max, nn::Pool::attention},
             "how the steps of a sequence become one row: last, mean, max, attention");
}

void add_threads(CLI::App& app, int& threads) {
  threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
  app.add_option("--threads", threads, "threads that split each batch")
      ->check(CLI::Range(1, kMostThreads))
      ->capture_default_str();
}

void add_seed(CLI::App& app, std::uint64_t& seed) {
  app.add_option("--seed", seed, "of all random numbers")
      ->check(CLI::Validator(whole_number, ""))
      ->capture_default_str();
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "print one JSON object on stdout"); }

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
