// What the subcommands that learn from data have in common: their options, and what they say.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/data/line_reader.h"
#include "models/data/parts.h"
#include "models/data/word_vectors.h"
#include "models/program/command_line.h"
#include "models/training/training.h"

namespace unroll::models {

/// How one file becomes parts.
enum class Cut { at_random, in_order };
/// --data --split --split-seed --train --valid --test; `what` says what the files hold.
void add_data(CLI::App& app, DataFiles& files, Cut cut, const std::string& what);
/// What these options and those of the training need of each other.
void check_usage(const Usage& usage, const DataFiles& files, Cut cut, const TrainingOptions& training);
/// --vocabulary --min-count
void add_vocabulary(CLI::App& app, Vocabulary::Limits& limits);
void add_vectors(CLI::App& app, std::string& path);
inline void check_usage(const Usage& usage, const std::string& vectors) {
  usage({"embed"}, vectors.empty(), "--vectors", "one of them");
}
void add_skip_bad(CLI::App& app, BadRows& bad);

/// What `eval` is told in every program: --data --threads --skip-bad --json.
struct Measuring {
  std::string data;
  int threads = 1;
  BadRows bad;
  bool json = false;
};
void add_measuring(CLI::App& app, Measuring& measuring, const std::string& what);
/// Prints the figures: in these words, or as JSON with `more`. Says what was skipped.
void print_figures(const Measuring& measuring, std::span<const Measure> figures, nlohmann::json more,
                   const std::string& words);

/// A line on standard error.
void note(const std::string& line);
/// How many rows were skipped, and why the first of them; nothing if there are none.
void note_skipped(const BadRows& bad);

/// The vectors of --vectors, whose width becomes the net's --embed; none without a file. Says how many words
/// have one.
std::optional<WordVectors> read_pretrained(const std::string& path, const Vocabulary& vocabulary,
                                           BadRows& bad, NetOptions& net);

/// What a run depends on, of how its data were split.
void describe_split(Configuration& configuration, const DataFiles& files, Cut cut);
/// The end of a training run: prints all figures, with those of the test, if there was one.
void print_run(nlohmann::json report, const TrainingRecord& record, const std::string& out, bool as_json,
               std::span<const Measure> test);
/// Trains, and prints what came of it. finish(workers, json) adds to the JSON what is the command's own, and
/// returns the figures of the test, if there is one.
template <TrainingTask T, class Model, class Finish>
void train_and_print(T& task, const Model& model, const TrainingOptions& options, bool as_json,
                     Finish finish) {
  Workers workers(options.threads);
  const TrainingRecord record = train(task, options, workers);
  nlohmann::json json = report(options, task.card(), record, parameter_count(model));
  const std::vector<Measure> test = finish(workers, json);
  print_run(std::move(json), record, options.out, as_json, test);
}

}  // namespace unroll::models
