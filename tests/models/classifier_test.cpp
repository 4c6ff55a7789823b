#include "models/classifier.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "models/classifier_training.h"
#include "nn/safetensors.h"

namespace unroll::models {

namespace {

constexpr int kWords = 12;

// The class is whether word 1 comes before word 2: a bag of words cannot tell.
LabelledTexts which_is_first(int count, std::uint64_t seed) {
  Generator g(seed);
  LabelledTexts data;
  for (int i = 0; i < count; ++i) {
    std::vector<int> text(2 + g.below(9));
    for (int& word : text) word = 3 + static_cast<int>(g.below(kWords - 3));
    const auto second = 1 + g.below(text.size() - 1), first = g.below(second);
    const int label = static_cast<int>(g.below(2));
    text[first] = label ? 1 : 2;
    text[second] = label ? 2 : 1;
    data.texts.push_back(text);
    data.labels.push_back(label);
  }
  return data;
}

const ClassifierOptions kSmall{.classes = 2, .embedding = 8, .hidden = 8, .dropout = 0.1};
const ClassifierTraining kShort{.epochs = 12, .batch = 16, .learning_rate = 0.02};

std::vector<ClassifierEpoch> train_quietly(TextClassifier& model, int threads,
                                           const ClassifierTraining& options) {
  const LabelledTexts training = which_is_first(600, 1), validation = which_is_first(200, 2);
  Workers workers(threads);
  Progress progress(training.words() * options.epochs,
                    {.quiet_seconds = 3600, .style = Progress::Style::log});
  int reports = 0;
  auto epochs = train(model, training, validation, options, workers, progress,
                      [&](const ClassifierEpoch& e) { CHECK(e.epoch == ++reports); });
  CHECK(reports == options.epochs);
  return epochs;
}

std::vector<double> numbers(TextClassifier& model) {
  std::vector<double> all;
  for (const NamedParameter& p : parameters(model)) {
    const auto values = p.parameter->value().values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

TEST_CASE("a classifier learns the order of words, and keeps its best epoch") {
  for (nn::Pool pool : {nn::Pool::max, nn::Pool::attention}) {
    ClassifierOptions options = kSmall;
    options.pool = pool;
    Generator g(5);
    TextClassifier model(kWords, options, g);
    const auto epochs = train_quietly(model, 2, kShort);
    Workers workers(1);
    const ClassifierScore test = evaluate(model, which_is_first(300, 3), workers);
    CHECK(test.accuracy > 0.97);
    CHECK(test.loss < 0.15);
    double best = 0;
    for (const ClassifierEpoch& e : epochs) best = std::max(best, e.validation_accuracy);
    CHECK(evaluate(model, which_is_first(200, 2), workers).accuracy == best);
  }
}

TEST_CASE("training gives the same bits for the same seed and threads, evaluation for any threads") {
  for (int threads : {1, 3}) {
    std::vector<std::vector<double>> runs;
    for (int run = 0; run < 2; ++run) {
      Generator g(5);
      TextClassifier model(kWords, kSmall, g);
      train_quietly(model, threads, {.epochs = 2, .batch = 16});
      runs.push_back(numbers(model));
    }
    CHECK(runs[0] == runs[1]);
  }
  Generator g(5);
  const TextClassifier model(kWords, kSmall, g);
  const LabelledTexts data = which_is_first(1000, 4);
  Workers one(1), three(3);
  const ClassifierScore a = evaluate(model, data, one), b = evaluate(model, data, three);
  CHECK(a.loss == b.loss);
  CHECK(a.predicted == b.predicted);
}

TEST_CASE("what a text is taken for does not depend on its company") {
  Generator g(5);
  const TextClassifier model(kWords, kSmall, g);
  const LabelledTexts data = which_is_first(100, 4);
  Workers workers(2);
  const ClassifierScore together = evaluate(model, data, workers);
  double loss = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const ClassifierScore alone = evaluate(model, {{data.texts[i]}, {data.labels[i]}}, workers);
    CHECK(alone.predicted[0] == together.predicted[i]);
    loss += alone.loss / static_cast<double>(data.size());
  }
  CHECK(loss == doctest::Approx(together.loss).epsilon(1e-5));
}

TEST_CASE("batches smaller than the number of threads are no trouble") {
  Generator g(5);
  TextClassifier model(kWords, kSmall, g);
  const auto epochs = train_quietly(model, 4, {.epochs = 1, .batch = 3});
  CHECK(std::isfinite(epochs[0].loss));
}

TEST_CASE("a classifier comes back from its file with the same predictions") {
  const auto path = (std::filesystem::temp_directory_path() / "unroll_classifier_test.safetensors").string();
  Generator g(5);
  ClassifierOptions options = kSmall;
  options.layers = 2;
  options.pool = nn::Pool::attention;
  std::vector<std::string> words(kWords);
  for (int i = 0; i < kWords; ++i) words[static_cast<std::size_t>(i)] = "w" + std::to_string(i) + "\u00e9\"";
  SavedClassifier saved{options, Vocabulary(words), TextClassifier(kWords, options, g)};
  save_classifier(path, saved);
  SavedClassifier loaded = load_classifier(path);
  CHECK(loaded.vocabulary.tokens() == words);
  CHECK(loaded.options.pool == nn::Pool::attention);
  CHECK(loaded.options.layers == 2);
  CHECK(numbers(loaded.model) == numbers(saved.model));
  std::filesystem::remove(path);
}

TEST_CASE("a file that is no classifier is refused by name") {
  const auto path = (std::filesystem::temp_directory_path() / "unroll_no_classifier.safetensors").string();
  auto message = [&](const nn::Metadata& metadata) {
    nn::write_safetensors(path, nn::SafeTensors{{}, metadata});
    try {
      load_classifier(path);
    } catch (const Error& e) {
      const std::string what = e.what();
      CHECK(what.find(path) != std::string::npos);
      return what;
    }
    return std::string("accepted");
  };
  auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(message({}), "no 'unroll.model' in its metadata"));
  CHECK(has(message({{"unroll.model", "tagger"}}), "needed a text classifier"));
  nn::Metadata metadata{{"unroll.model", "text classifier"},
                        {"unroll.configuration", "{\"classes\": "},
                        {"unroll.vocabulary", "[\"?\"]"}};
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"classes\": [2]}";
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"classes\": 2}";
  CHECK(has(message(metadata), "no setting 'embedding'"));
  metadata["unroll.configuration"] = "{\"classes\": 2, \"embedding\": 99999999}";
  CHECK(has(message(metadata), "bad setting 'embedding'"));
  std::filesystem::remove(path);
}

}  // namespace unroll::models
