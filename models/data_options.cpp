#include "models/data_options.h"

#include "models/progress.h"

namespace unroll::models {

void add_data(CLI::App& app, DataFiles& files, const std::string& what) {
  app.add_option("--data", files.all, what + ", to be split at random");
  app.add_option("--split", files.split, "shares of --data for training, validation and test")
      ->delimiter(',')
      ->default_str("0.8,0.1,0.1");
  app.add_option("--split-seed", files.split_seed, "of the split")->capture_default_str();
  app.add_option("--train", files.training, "or: what to train on");
  app.add_option("--valid", files.validation, "what chooses the model");
  app.add_option("--test", files.test, "what the chosen model is measured on");
}

void add_word_dropout(CLI::App& app, double& share) {
  app.add_option("--word-dropout", share, "share of tokens that are taken for unknown in training")
      ->check(in_range(0.0, 0.95))
      ->capture_default_str();
}

void add_skip_bad(CLI::App& app, BadRows& bad) {
  app.add_flag_callback(
      "--skip-bad", [&bad] { bad = BadRows(BadRows::Policy::skip); },
      "skip bad input and count it, instead of stopping");
}

void note(const std::string& line) { tell(stderr, fmt::format("{}\n", line)); }

void note_skipped(const BadRows& bad) {
  if (bad.skipped() > 0)
    note(fmt::format("{} bad rows were skipped; the first: {}", with_commas(bad.skipped()), bad.first()));
}

std::string coverage(const WordVectors& vectors, const Vocabulary& vocabulary) {
  const auto found = static_cast<Index>(vectors.ids.size()), words = Index{vocabulary.size()} - 1;
  return fmt::format("{} of {} words have a vector ({:.1f} %); {} vectors in the file", with_commas(found),
                     with_commas(words), 100 * static_cast<double>(found) / static_cast<double>(words),
                     with_commas(vectors.in_file));
}

void TrainingReport::finish(bool as_json, const std::function<std::vector<Measure>(std::size_t)>& measure) {
  std::string words = fmt::format("the model of epoch {} is in {}\n", record_.best_epoch, out_);
  for (const std::size_t part : {std::size_t{1}, std::size_t{2}}) {
    const std::vector<Measure> figures = measure(part);
    if (figures.empty()) continue;
    json_[kPartNames[part]] = to_json(figures);
    words += fmt::format("{}  {}\n", kPartNames[part], in_words(figures));
  }
  if (as_json)
    fmt::print("{}\n", json_.dump());
  else
    fmt::print("{}", words);
}

}  // namespace unroll::models
