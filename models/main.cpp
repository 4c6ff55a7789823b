// The program `unroll`: its command line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "models/programs.h"

namespace unroll::models {

namespace {

constexpr int kMostThreads = 256;

int threads_here() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
}

void add_threads(CLI::App& app, int& threads) {
  threads = threads_here();
  app.add_option("--threads", threads, "threads that split each batch")
      ->check(CLI::Range(1, kMostThreads))
      ->capture_default_str();
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "print one JSON object on stdout"); }

// Options that both kinds of training have.
template <class Training>
void add_training(CLI::App& app, Training& training) {
  app.add_option("--epochs", training.epochs, "passes over the training part")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", training.batch, "sequences that are learned from at once")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--learning-rate", training.learning_rate, "of Adam at the start; falls along half a cosine")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--clip", training.clip, "largest global norm of the gradient")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", training.seed, "of all random numbers")->capture_default_str();
}

template <class Model>
void add_sizes(CLI::App& app, Model& model) {
  app.add_option("--embedding", model.embedding, "numbers that stand for a token")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  app.add_option("--hidden", model.hidden, "units of a layer, in each direction")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  app.add_option("--layers", model.layers, "recurrent layers")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--dropout", model.dropout, "share of numbers set to zero in training")
      ->check(CLI::Range(0.0, 0.95))
      ->capture_default_str();
}

void add_demo(CLI::App& app, Demo& demo) {
  CLI::App& command =
      *app.add_subcommand("demo",
                          "Train a classifier on the 82,115 noun definitions of WordNet: a bidirectional "
                          "GRU, pooled over time, tells which of 26 kinds of thing a definition defines.");
  add_training(command, demo.training);
  add_sizes(command, demo.model);
  command
      .add_option("--pool", demo.model.pool,
                  "how the steps of a definition become one row: last, mean, max, attention")
      ->transform(CLI::CheckedTransformer(std::map<std::string, nn::Pool>{{"last", nn::Pool::last},
                                                                          {"mean", nn::Pool::mean},
                                                                          {"max", nn::Pool::max},
                                                                          {"attention", nn::Pool::attention}})
                      .description(""))
      ->default_str("max");
  command.add_option("--min-count", demo.min_count, "rarer words are taken for unknown")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  command.add_option("--wordnet", demo.wordnet, "folder with WordNet's data.noun")->capture_default_str();
  command.add_option("--out", demo.out, "save the model to this file");
  add_threads(command, demo.threads);
  add_json(command, demo.json);
  command.callback([&] { run(demo); });
}

void add_lm_train(CLI::App& lm, LmTrain& train) {
  CLI::App& command = *lm.add_subcommand("train",
                                         "Learn to predict the next character of a UTF-8 text; the model "
                                         "with the lowest validation loss is saved.");
  command.add_option("--text", train.text, "UTF-8 text file to learn from")->required();
  command.add_option("--out", train.out, "file for the model (safetensors)")->required();
  command
      .add_option("--validation", train.validation, "share of the text, at its end, that is not learned from")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  add_training(command, train.training);
  command.add_option("--steps", train.training.steps, "time steps that the gradient goes back")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_sizes(command, train.model);
  add_threads(command, train.threads);
  add_json(command, train.json);
  command.callback([&] { run(train); });
}

void add_lm_eval(CLI::App& lm, LmEval& eval) {
  CLI::App& command = *lm.add_subcommand("eval", "How well a model predicts a text: loss, perplexity, bits.");
  command.add_option("--model", eval.model, "file that `unroll lm train` wrote")->required();
  command.add_option("--text", eval.text, "UTF-8 text file")->required();
  add_threads(command, eval.threads);
  add_json(command, eval.json);
  command.callback([&] { run(eval); });
}

void add_lm_sample(CLI::App& lm, LmSample& sample) {
  CLI::App& command = *lm.add_subcommand("sample", "Continue a prompt.");
  command.add_option("--model", sample.model, "file that `unroll lm train` wrote")->required();
  command.add_option("--prompt", sample.prompt, "text to go on from")->default_str("a new line");
  command.add_option("--length", sample.length, "characters to write")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  command
      .add_option("--temperature", sample.temperature, "below 1 safer, above 1 wilder; 0 takes the likeliest")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command.add_option("--seed", sample.seed, "of the draws")->capture_default_str();
  add_json(command, sample.json);
  command.callback([&] { run(sample); });
}

int complain(const char* message, int code) {
  fmt::print(stderr, "unroll: {}\n", message);
  return code;
}

// What is wrong with the words before the first option, if they name no subcommand; CLI11 does not name them.
std::string unknown_subcommand(const CLI::App& app, std::span<char* const> words) {
  const CLI::App* at = &app;
  for (const char* word : words) {
    const auto known = at->get_subcommands([](const CLI::App*) { return true; });
    if (known.empty() || word[0] == '-') return "";
    const auto next =
        std::ranges::find(known, std::string(word), [](const CLI::App* a) { return a->get_name(); });
    if (next == known.end()) {
      std::vector<std::string> names;
      for (const CLI::App* a : known) names.push_back(a->get_name());
      return fmt::format("'{}' came; needed one of {}", word, fmt::join(names, ", "));
    }
    at = *next;
  }
  return "";
}

int run_program(int argc, char** argv) {
  CLI::App app("Recurrent nets on a CPU.", "unroll");
  app.set_version_flag("--version", "unroll " UNROLL_VERSION);
  app.require_subcommand(1);
  Demo demo;
  LmTrain lm_train;
  LmEval lm_eval;
  LmSample lm_sample;
  add_demo(app, demo);
  CLI::App& lm = *app.add_subcommand("lm", "Character language models: train, eval, sample.");
  lm.require_subcommand(1);
  add_lm_train(lm, lm_train);
  add_lm_eval(lm, lm_eval);
  add_lm_sample(lm, lm_sample);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const std::string unknown = unknown_subcommand(app, {argv + 1, argv + argc});
    return complain(fmt::format("{} (see --help)", unknown.empty() ? e.what() : unknown).c_str(), 2);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}

}  // namespace

}  // namespace unroll::models

int main(int argc, char** argv) { return unroll::models::run_program(argc, argv); }
