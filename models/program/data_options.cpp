#include "models/program/data_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/training/progress.h"

namespace unroll::models {

namespace {
constexpr Range<Index> kTokens{2, 1 << 30}, kTimes{1, 1 << 30};
}

void add_data(CLI::App& app, DataFiles& files, Cut cut, const std::string& what) {
  const bool at_random = cut == Cut::at_random;
  app.add_option("--data", files.all,
                 what + (at_random ? ", to be split at random" : ", to be cut in order"));
  app.add_option("--split", files.split, "shares of --data for training, validation and test")
      ->delimiter(',')
      ->default_str(fmt::format("{}", fmt::join(files.split, ",")));
  if (at_random)
    app.add_option("--split-seed", files.split_seed, "of the split")
        ->check(any_seed())
        ->capture_default_str();
  app.add_option("--train", files.training, "or: what to train on");
  app.add_option("--valid", files.validation, "what chooses the model");
  app.add_option("--test", files.test, "what the chosen model is measured on");
}

void check_usage(const Usage& usage, const DataFiles& files, Cut cut, const TrainingOptions& training) {
  const bool split = files.training.empty();
  usage({"split"}, split, "--train", "--data");
  if (cut == Cut::at_random) usage({"split-seed"}, split, "--train", "--data");
  try {
    check(files, usage.command().c_str());
  } catch (const Error& e) {
    throw CLI::ValidationError(e.what());
  }
  training.conditions(usage, split || !files.validation.empty());
}

void add_vocabulary(CLI::App& app, Vocabulary::Limits& limits) {
  app.add_option("--vocabulary", limits.max_size, "most different tokens, the unknown one included")
      ->check(in_range(kTokens))
      ->default_str("all");
  app.add_option("--min-count", limits.min_count, "rarer tokens are taken for unknown")
      ->check(in_range(kTimes))
      ->capture_default_str();
}

void add_vectors(CLI::App& app, std::string& path) {
  app.add_option("--vectors", path,
                 "pretrained word vectors to begin with (text form of word2vec or GloVe); they say --embed");
}

void add_skip_bad(CLI::App& app, BadRows& bad) {
  app.add_flag_callback(
      "--skip-bad", [&bad] { bad = BadRows(BadRows::Policy::skip); },
      "skip bad input and count it, instead of stopping");
}

void add_measuring(CLI::App& app, Measuring& measuring, const std::string& what) {
  app.add_option("--data", measuring.data, what)->required();
  add_threads(app, measuring.threads);
  add_skip_bad(app, measuring.bad);
  add_json(app, measuring.json);
}

void print_figures(const Measuring& measuring, std::span<const Measure> figures, nlohmann::json more,
                   const std::string& words) {
  note_skipped(measuring.bad);
  nlohmann::json json = to_json(figures);
  json.update(more);
  json["skipped"] = measuring.bad.skipped();
  fmt::print("{}\n", measuring.json ? json.dump() : words);
}

void note(const std::string& line) { tell(stderr, line + '\n'); }

void note_skipped(const BadRows& bad) {
  if (bad.skipped() > 0)
    note(fmt::format("{} skipped; the first: {}", counted(bad.skipped(), "bad row"), bad.first()));
}

std::optional<WordVectors> read_pretrained(const std::string& path, const Vocabulary& vocabulary,
                                           BadRows& bad, NetOptions& net) {
  if (path.empty()) return {};
  WordVectors vectors = read_word_vectors(path, vocabulary, bad);
  net.embed = vectors.width;
  const auto found = static_cast<Index>(vectors.ids.size()), words = Index{vocabulary.size()} - 1;
  note(fmt::format("{} of {} words have a vector ({:.1f} %); {} vectors in the file", with_commas(found),
                   with_commas(words), 100 * static_cast<double>(found) / static_cast<double>(words),
                   with_commas(vectors.in_file)));
  return vectors;
}

void describe_split(Configuration& configuration, const DataFiles& files, Cut cut) {
  if (!files.is_split()) return;
  configuration["split"] = files.split;
  if (cut == Cut::at_random) configuration["split-seed"] = fmt::format("{}", files.split_seed);
}

void print_run(nlohmann::json report, const TrainingRecord& record, const std::string& out, bool as_json,
               std::span<const Measure> test) {
  std::string words = fmt::format("the model of epoch {} is in {}", record.best_epoch, out);
  const auto& validation = record.best().validation;
  if (!validation.empty()) words += "\nvalidation  " + in_words(validation);
  if (!test.empty()) {
    report["test"] = to_json(test);
    words += "\ntest  " + in_words(test);
  }
  fmt::print("{}\n", as_json ? report.dump() : words);
}

}  // namespace unroll::models
