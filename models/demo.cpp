#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "models/programs.h"
#include "models/text.h"
#include "models/wordnet.h"

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

LabelledTexts labelled(const std::vector<Definition>& definitions, const Vocabulary& vocabulary) {
  LabelledTexts data;
  for (const auto& words : words_of(definitions)) {
    auto& ids = data.texts.emplace_back();
    for (const std::string& word : words) ids.push_back(vocabulary.id(word));
  }
  for (const Definition& d : definitions) data.labels.push_back(d.noun_class);
  return data;
}

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
    shown.push_back({&test[at], score.predicted[at]});
  }
  return shown;
}

void print_examples(const std::vector<Shown>& shown) {
  fmt::print("\n{:<20}{:<20}{}\n", "predicted", "WordNet", "definition");
  for (const auto& [d, predicted] : shown)
    fmt::print("{:<20}{:<20}{}: {}\n", noun_class_name(predicted),
               predicted == d->noun_class ? "the same" : noun_class_name(d->noun_class), d->noun, d->text);
}

const ClassifierEpoch& best_of(const std::vector<ClassifierEpoch>& epochs) {
  return *std::max_element(epochs.begin(), epochs.end(), [](const auto& a, const auto& b) {
    return a.validation_accuracy < b.validation_accuracy;
  });
}

nlohmann::json report(const std::vector<ClassifierEpoch>& epochs, const ClassifierScore& test,
                      const std::vector<Shown>& shown) {
  nlohmann::json json = {{"best_epoch", best_of(epochs).epoch},
                         {"validation_accuracy", best_of(epochs).validation_accuracy},
                         {"test_accuracy", test.accuracy},
                         {"test_loss", test.loss},
                         {"training_seconds", epochs.back().seconds}};
  for (const ClassifierEpoch& e : epochs)
    json["epochs"].push_back({{"epoch", e.epoch},
                              {"loss", e.loss},
                              {"accuracy", e.accuracy},
                              {"validation_loss", e.validation_loss},
                              {"validation_accuracy", e.validation_accuracy},
                              {"seconds", e.seconds}});
  for (const auto& [d, predicted] : shown)
    json["examples"].push_back({{"noun", d->noun},
                                {"definition", d->text},
                                {"class", noun_class_name(d->noun_class)},
                                {"predicted", noun_class_name(predicted)}});
  return json;
}

}  // namespace

void run(const Demo& demo) {
  const DefinitionSplit split = split_definitions(read_noun_definitions(demo.wordnet));
  if (split.training.empty() || split.validation.empty() || split.test.empty())
    autograd::fail(
        "demo", fmt::format("{} has {} definitions to train on, {} to validate and {} to test; "
                            "needed some of each",
                            demo.wordnet, split.training.size(), split.validation.size(), split.test.size()));
  const Vocabulary vocabulary = vocabulary_of(split.training, demo.min_count);
  const LabelledTexts training = labelled(split.training, vocabulary),
                      validation = labelled(split.validation, vocabulary),
                      test = labelled(split.test, vocabulary);
  ClassifierOptions options = demo.model;
  options.classes = kNounClasses;
  Generator generator(demo.training.seed);
  SavedClassifier saved{options, vocabulary, TextClassifier(vocabulary.size(), options, generator)};

  Workers workers(demo.threads);
  Progress progress(training.words() * demo.training.epochs);
  progress.note(fmt::format(
      "{} definitions of WordNet to train on, {} to validate, {} to test; {} different words, "
      "{} classes, {} parameters, {} threads",
      with_commas(static_cast<Index>(training.size())), with_commas(static_cast<Index>(validation.size())),
      with_commas(static_cast<Index>(test.size())), with_commas(vocabulary.size()), kNounClasses,
      with_commas(parameter_count(saved.model)), demo.threads));
  const auto epochs = train(
      saved.model, training, validation, demo.training, workers, progress, [&](const ClassifierEpoch& e) {
        progress.note(
            fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:.1f} %  validation accuracy {:.1f} %  {}",
                        e.epoch, demo.training.epochs, e.loss, 100 * e.accuracy, 100 * e.validation_accuracy,
                        clock_time(e.seconds)));
      });
  const ClassifierScore score = evaluate(saved.model, test, workers);
  const auto shown = examples(split.test, score);
  if (!demo.out.empty()) save_classifier(demo.out, saved);
  if (demo.json) {
    fmt::print("{}\n", report(epochs, score, shown).dump());
    return;
  }
  fmt::print(
      "test accuracy {:.1f} % (the model of epoch {}, the best on the validation part), {:.0f} s of "
      "training\n",
      100 * score.accuracy, best_of(epochs).epoch, epochs.back().seconds);
  print_examples(shown);
}

}  // namespace unroll::models
