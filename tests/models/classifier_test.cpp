#include "models/classifier.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "models/classification.h"
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

const ClassifierOptions kSmall{.classes = 2,
                               .net = {.embed = 8, .hidden = 8, .bidirectional = true, .dropout = 0.1}};
const TrainingOptions kShort{.epochs = 12, .batch = 16, .lr = 0.02, .schedule = "cosine"};

SavedClassifier untrained(const ClassifierOptions& options = kSmall) {
  std::vector<std::string> words;
  for (int i = 0; i < kWords; ++i) words.push_back("w" + std::to_string(i) + "\u00e9\"");
  Generator g(5);
  return {options, Vocabulary(words), TextClassifier(kWords, options, g)};
}

TrainingRecord train_quietly(SavedClassifier& saved, int threads, const TrainingOptions& options) {
  const LabelledTexts training = which_is_first(600, 1), validation = which_is_first(200, 2);
  Workers workers(threads);
  ClassificationTask task(saved, training, validation, options.batch);
  return train(task, options, workers, {.style = Progress::Style::silent});
}

std::vector<double> numbers(TextClassifier& model) {
  std::vector<double> all;
  for (const Parameter* p : parameters(model)) {
    const auto values = p->value().values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

TEST_CASE("a classifier learns the order of words, and keeps its best epoch") {
  for (nn::Pool pool : {nn::Pool::max, nn::Pool::attention}) {
    ClassifierOptions options = kSmall;
    options.net.pool = pool;
    SavedClassifier saved = untrained(options);
    const TrainingRecord record = train_quietly(saved, 2, kShort);
    CHECK(record.epochs.size() == 12);
    Workers workers(1);
    const ClassifierScore test = evaluate(saved.model, which_is_first(300, 3), workers);
    CHECK(test.accuracy > 0.97);
    CHECK(test.loss < 0.15);
    double best = 0;
    for (const Epoch& e : record.epochs) best = std::max(best, e.validation[0].value);
    CHECK(evaluate(saved.model, which_is_first(200, 2), workers).accuracy == best);
  }
}

TEST_CASE("training gives the same bits for the same seed and threads, evaluation for any threads") {
  for (int threads : {1, 3}) {
    std::vector<std::vector<double>> runs;
    for (int run = 0; run < 2; ++run) {
      SavedClassifier saved = untrained();
      train_quietly(saved, threads, {.epochs = 2, .batch = 16});
      runs.push_back(numbers(saved.model));
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
  SavedClassifier saved = untrained();
  CHECK(std::isfinite(train_quietly(saved, 4, {.epochs = 1, .batch = 3}).epochs[0].loss));
}

TEST_CASE("a classifier comes back from its file with the same predictions") {
  const auto path = (std::filesystem::temp_directory_path() / "unroll_classifier_test.safetensors").string();
  ClassifierOptions options = kSmall;
  options.net.layers = 2;
  options.net.cell = CellKind::lstm;
  options.net.pool = nn::Pool::attention;
  SavedClassifier saved = untrained(options);
  save_classifier(path, saved);
  SavedClassifier loaded = load_classifier(path);
  CHECK(loaded.vocabulary.tokens() == saved.vocabulary.tokens());
  CHECK(loaded.options.net.pool == nn::Pool::attention);
  CHECK(loaded.options.net.layers == 2);
  CHECK(loaded.options.net.cell == CellKind::lstm);
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
                        {"unroll.lists", "{\"vocabulary\": [\"?\"]}"}};
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"classes\": {}}";
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"classes\": 2}";
  CHECK(has(message(metadata), "no setting 'cell'"));
  metadata["unroll.configuration"] = "{\"classes\": 99999999}";
  CHECK(has(message(metadata), "bad setting 'classes'"));
  std::filesystem::remove(path);
}

}  // namespace unroll::models
