#include "models/language_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "models/language_training.h"

namespace unroll::models {

namespace {

const LanguageModelOptions kSmall{.embedding = 8, .hidden = 24, .layers = 2, .dropout = 0};

// "0ab0cd0ab0cd...": after 0 one must know what came four characters ago.
std::string alternating(int repeats) {
  std::string text;
  for (int i = 0; i < repeats; ++i) text += "0ab0cd";
  return text;
}

SavedLanguageModel untrained(const std::string& text, std::uint64_t seed = 1) {
  Generator g(seed);
  const Vocabulary vocabulary = character_vocabulary(text);
  return {kSmall, vocabulary, LanguageModel(vocabulary.size(), kSmall, g)};
}

std::vector<LanguageEpoch> train_quietly(SavedLanguageModel& saved, const std::string& text, int threads,
                                         const LanguageTraining& options) {
  const std::vector<int> ids = character_ids(text, saved.vocabulary);
  Workers workers(threads);
  Progress progress(1, {.quiet_seconds = 3600, .style = Progress::Style::log});
  return train(saved.model, ids, ids, options, workers, progress, [](const LanguageEpoch&) {});
}

}  // namespace

TEST_CASE("a language model learns a pattern through windows that are shorter than it") {
  const std::string text = alternating(400);
  SavedLanguageModel saved = untrained(text);
  const auto epochs =
      train_quietly(saved, text, 2, {.epochs = 25, .batch = 8, .steps = 4, .learning_rate = 0.01});
  CHECK(epochs.back().validation_loss < 0.03);
  Generator g(1);
  CHECK(continue_text(saved, "0ab0cd0ab", 9, 0, g) == "0cd0ab0cd");
  CHECK(continue_text(saved, "0ab0cd", 9, 0, g) == "0ab0cd0ab");
}

TEST_CASE("an untrained model is about as good as guessing, for any number of workers alike") {
  const std::string text = alternating(5000);  // several streams
  const SavedLanguageModel saved = untrained(text);
  const std::vector<int> ids = character_ids(text, saved.vocabulary);
  Workers one(1), three(3);
  const double loss = evaluate(saved.model, ids, one);
  CHECK(std::abs(loss - std::log(6.0)) < 0.3);
  CHECK(evaluate(saved.model, ids, three) == loss);
  CHECK(std::isfinite(evaluate(saved.model, std::vector<int>{1, 2}, three)));
  CHECK_THROWS_AS(evaluate(saved.model, std::vector<int>{1}, one), Error);
}

TEST_CASE("training gives the same bits for the same seed and threads") {
  const std::string text = alternating(40);
  for (int threads : {1, 3}) {
    SavedLanguageModel a = untrained(text), b = untrained(text);
    for (SavedLanguageModel* saved : {&a, &b}) {
      saved->model.dropout.probability = 0.3;
      train_quietly(*saved, text, threads, {.epochs = 1, .batch = 5, .steps = 10});
    }
    const auto left = parameters(a.model), right = parameters(b.model);
    for (std::size_t i = 0; i < left.size(); ++i)
      CHECK(left[i].parameter->value().values() == right[i].parameter->value().values());
  }
}

TEST_CASE("sampling: reproducible by seed, whole code points, bad requests refused") {
  const SavedLanguageModel saved = untrained("\u00e9\u20ac\U0001F600abc");
  Generator a(7), b(7), c(8);
  const std::string text = continue_text(saved, "ab", 200, 1, a);
  CHECK(text == continue_text(saved, "ab", 200, 1, b));
  CHECK(text != continue_text(saved, "ab", 200, 1, c));
  const std::vector<int> ids = character_ids(text, saved.vocabulary);
  CHECK(ids.size() == 200);
  for (int id : ids) CHECK(id != Vocabulary::kUnknown);
  CHECK(continue_text(saved, "z", 0, 1, a).empty());
  CHECK_THROWS_WITH(continue_text(saved, "", 1, 1, a),
                    "[sample] an empty prompt came; needed at least one character");
  CHECK_THROWS_AS(continue_text(saved, "a", 1, -1, a), Error);
  CHECK_THROWS_AS(continue_text(saved, "a", 1, std::nan(""), a), Error);
  CHECK_THROWS_AS(continue_text(saved, "\xFF", 1, 1, a), Error);
}

TEST_CASE("a language model comes back from its file") {
  const auto path = (std::filesystem::temp_directory_path() / "unroll_language_model.safetensors").string();
  SavedLanguageModel saved = untrained("\n\"\u00e9 abc");
  save_language_model(path, saved);
  SavedLanguageModel loaded = load_language_model(path);
  CHECK(loaded.vocabulary.tokens() == saved.vocabulary.tokens());
  Generator a(7), b(7);
  CHECK(continue_text(loaded, "a", 50, 1, a) == continue_text(saved, "a", 50, 1, b));
  std::filesystem::remove(path);
}

}  // namespace unroll::models
