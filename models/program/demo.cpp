#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "models/data/text.h"
#include "models/data/wordnet.h"
#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/tasks/classify/task.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

constexpr std::size_t kShown = 8;  // definitions with their predicted classes

std::vector<std::vector<std::string>> words_of(const std::vector<Definition>& definitions) {
  std::vector<std::vector<std::string>> words;
  for (const Definition& d : definitions) words.push_back(split_words(d.text));
  return words;
}

Vocabulary vocabulary_of(const std::vector<Definition>& definitions, Index min_count) {
  TokenCounts counts;
  for (const auto& words : words_of(definitions))
    for (const std::string& word : words) counts.add(word);
  return Vocabulary(counts, "<unknown>", {.min_count = min_count});
}

LabelledSequences labelled(const std::vector<Definition>& definitions, const Vocabulary& vocabulary) {
  LabelledSequences data;
  for (const auto& words : words_of(definitions)) {
    auto& ids = data.texts.emplace_back();
    for (const std::string& word : words) ids.push_back(vocabulary.id(word));
  }
  for (const Definition& d : definitions) data.labels.push_back({d.noun_class});
  return data;
}

struct Demo {
  std::string wordnet = "/usr/share/wordnet";
  NetOptions net = ClassifierOptions().net;
  TrainingOptions training{.epochs = 4, .batch = 64, .lr = 3e-3, .schedule = "cosine"};
  Index min_count = 2;
  bool json = false;

  void conditions(const Usage& usage) const {
    net.conditions(usage);
    training.conditions(usage);
  }
};

struct Shown {
  const Definition* definition;
  int predicted;
};

// Spread evenly over the test part, so that there are all sorts.
std::vector<Shown> examples(const std::vector<Definition>& test, const ClassifierScore& score) {
  std::vector<Shown> shown;
  const std::size_t count = std::min(kShown, test.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (2 * i + 1) * test.size() / (2 * count);
    shown.push_back({&test[at], score.predicted[at][0]});
  }
  return shown;
}

void print_examples(const std::vector<Shown>& shown) {
  fmt::print("\n{:<20}{:<20}{}\n", "predicted", "WordNet", "definition");
  for (const auto& [d, predicted] : shown)
    fmt::print("{:<20}{:<20}{}: {}\n", noun_class_name(predicted),
               predicted == d->noun_class ? "the same" : noun_class_name(d->noun_class), d->noun, d->text);
}

void add_to(nlohmann::json& json, const ClassifierScore& test, const std::vector<Shown>& shown) {
  json["test"] = to_json(measures(test, false));
  for (const auto& [d, predicted] : shown)
    json["examples"].push_back({{"noun", d->noun},
                                {"definition", d->text},
                                {"class", noun_class_name(d->noun_class)},
                                {"predicted", noun_class_name(predicted)}});
}

void run(const Demo& demo) {
  const DefinitionSplit split = split_definitions(read_noun_definitions(demo.wordnet));
  if (split.training.empty() || split.validation.empty() || split.test.empty())
    autograd::fail(
        "demo", fmt::format("{} has {} definitions to train on, {} to validate and {} to test; "
                            "needed some of each",
                            demo.wordnet, split.training.size(), split.validation.size(), split.test.size()));
  const Vocabulary vocabulary = vocabulary_of(split.training, demo.min_count);
  const LabelledSequences training = labelled(split.training, vocabulary),
                          validation = labelled(split.validation, vocabulary),
                          test = labelled(split.test, vocabulary);
  LabelSet labels;
  for (int i = 0; i < kNounClasses; ++i) labels.add(noun_class_name(i));
  Generator generator(demo.training.seed);
  SavedClassifier saved({.options = {.net = demo.net},
                         .labels = labels,
                         .text = {.level = Level::word, .punctuation = true},
                         .vocabulary = vocabulary,
                         .scaling = {}},
                        generator);

  note(fmt::format(
      "{} definitions of WordNet to train on, {} to validate, {} to test; {} different words, "
      "{} classes, {}, {}",
      with_commas(static_cast<Index>(training.size())), with_commas(static_cast<Index>(validation.size())),
      with_commas(static_cast<Index>(test.size())), with_commas(vocabulary.size()), kNounClasses,
      counted(parameter_count(saved), "parameter"), counted(demo.training.threads, "thread")));
  Workers workers(demo.training.threads);
  ClassificationTask task(saved, training, validation, demo.training);
  const TrainingRecord record = train(task, demo.training, workers);
  const ClassifierScore score = evaluate(saved, test, workers);
  const auto shown = examples(split.test, score);
  if (demo.json) {
    nlohmann::json json = report(demo.training, task.card(), record, parameter_count(saved));
    add_to(json, score, shown);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print(
      "test accuracy {:.1f} % (the model of epoch {}, the best on the validation part), {:.0f} s of "
      "training\n",
      100 * score.accuracy, record.best_epoch, record.seconds());
  print_examples(shown);
}

}  // namespace

void add_demo(CLI::App& program) {
  auto [app, demo] =
      add_command<Demo>(program, "demo",
                        "Train a classifier on the 82,115 noun definitions of WordNet: a bidirectional "
                        "GRU, pooled over time, tells which of 26 kinds of thing a definition defines.");
  add_training(app, demo.training, false);
  add_settings(app, demo.net);
  app.add_option("--min-count", demo.min_count, "rarer words are taken for unknown")
      ->check(in_range(Range<Index>{1, 1 << 30}))
      ->capture_default_str();
  app.add_option("--wordnet", demo.wordnet, "folder with WordNet's data.noun")->capture_default_str();
  add_json(app, demo.json);
  add_demo_vanishing(app);
  add_demo_exploding(app);
  add_demo_adding(app);
  add_demo_copy(app);
}

}  // namespace unroll::models
