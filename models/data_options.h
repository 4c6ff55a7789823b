// What the subcommands that learn from rows of labelled data have in common: their options, and what they
// say.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "models/command_line.h"
#include "models/data_parts.h"
#include "models/lines.h"
#include "models/word_vectors.h"

namespace unroll::models {

/// --data --split --split-seed --train --valid --test; `what` says what the files hold.
void add_data(CLI::App& app, DataFiles& files, const std::string& what);
void add_word_dropout(CLI::App& app, double& share);
void add_skip_bad(CLI::App& app, BadRows& bad);

/// A line on standard error.
void note(const std::string& line);
/// How many rows were skipped, and why the first of them; nothing if there are none.
void note_skipped(const BadRows& bad);
/// "1,234 of 5,678 words have a vector (21.7 %)"
std::string coverage(const WordVectors& vectors, const Vocabulary& vocabulary);

/// The end of a training run: measures validation and test, and prints all figures.
class TrainingReport {
 public:
  TrainingReport(std::string out, const TrainingRecord& record, nlohmann::json json)
      : out_(std::move(out)), record_(record), json_(std::move(json)) {}
  /// `measure` gives the figures of a part (1 validation, 2 test); none if there are no data.
  void finish(bool as_json, const std::function<std::vector<Measure>(std::size_t)>& measure);

 private:
  std::string out_;
  const TrainingRecord& record_;
  nlohmann::json json_;
};

}  // namespace unroll::models
