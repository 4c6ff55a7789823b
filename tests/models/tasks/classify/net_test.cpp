#include "models/tasks/classify/net.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "autograd/op.h"
#include "models/tasks/classify/task.h"
#include "nn/safetensors.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

constexpr int kWords = 12;

// The class is whether word 1 comes before word 2: a bag of words cannot tell.
LabelledSequences which_is_first(int count, std::uint64_t seed) {
  Generator g(seed);
  LabelledSequences data;
  for (int i = 0; i < count; ++i) {
    std::vector<int> text(2 + g.below(9));
    for (int& word : text) word = 3 + static_cast<int>(g.below(kWords - 3));
    const auto second = 1 + g.below(text.size() - 1), first = g.below(second);
    const int label = static_cast<int>(g.below(2));
    text[first] = label ? 1 : 2;
    text[second] = label ? 2 : 1;
    data.texts.push_back(text);
    data.labels.push_back({label});
  }
  return data;
}

const ClassifierOptions kSmall{.net = {.embed = 8, .hidden = 8, .bidirectional = true, .dropout = 0.1}};
const TrainingOptions kShort{.epochs = 12, .batch = 16, .lr = 0.02, .schedule = "cosine"};

Vocabulary words() {
  std::vector<std::string> list;
  for (int i = 0; i < kWords; ++i) list.push_back("w" + std::to_string(i) + "\u00e9\"");
  return Vocabulary(list);
}

SavedClassifier untrained(const ClassifierOptions& options = kSmall, const TextForm& form = {},
                          const LabelSet& labels = LabelSet({"second", "first"})) {
  Generator g(5);
  return SavedClassifier({options, labels, form, words(), {}}, g);
}

TrainingRecord train_quietly(SavedClassifier& saved, int threads, const TrainingOptions& options) {
  const LabelledSequences training = which_is_first(600, 1), validation = which_is_first(200, 2);
  Workers workers(threads);
  ClassificationTask task(saved, training, validation, options, {.word_dropout = 0.05});
  return train(task, options, workers, {.style = Progress::Style::silent});
}

std::vector<double> numbers(SavedClassifier& model) {
  std::vector<double> all;
  for (const NamedParameter& p : parameters(model)) {
    const auto values = p.parameter->value().values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<std::string> ops_on(const Tape& tape) {
  std::vector<std::string> names;
  for (const autograd::Node& node : tape.nodes()) names.emplace_back(node.table->name(node.op));
  return names;
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
    const ClassifierScore test = evaluate(saved, which_is_first(300, 3), workers);
    CHECK(test.accuracy > 0.97);
    CHECK(test.loss < 0.15);
    double best = 0;
    for (const Epoch& e : record.epochs) best = std::max(best, e.validation[0].value);
    CHECK(evaluate(saved, which_is_first(200, 2), workers).accuracy == best);
  }
}

TEST_CASE("training gives the same bits for the same seed and threads, evaluation for any threads") {
  for (int threads : {1, 3}) {
    std::vector<std::vector<double>> runs;
    for (int run = 0; run < 2; ++run) {
      SavedClassifier saved = untrained();
      train_quietly(saved, threads, {.epochs = 2, .batch = 16});
      runs.push_back(numbers(saved));
    }
    CHECK(runs[0] == runs[1]);
  }
  const SavedClassifier model = untrained();
  const LabelledSequences data = which_is_first(1000, 4);
  Workers one(1), three(3);
  const ClassifierScore a = evaluate(model, data, one), b = evaluate(model, data, three);
  CHECK(a.loss == b.loss);
  CHECK(a.predicted == b.predicted);
}

TEST_CASE("what a text is taken for does not depend on its company") {
  const SavedClassifier model = untrained();
  const LabelledSequences data = which_is_first(100, 4);
  Workers workers(2);
  const ClassifierScore together = evaluate(model, data, workers);
  double loss = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const ClassifierScore alone = evaluate(model, {{data.texts[i]}, {}, {data.labels[i]}}, workers);
    CHECK(alone.predicted[0] == together.predicted[i]);
    loss += alone.loss / static_cast<double>(data.size());
  }
  CHECK(loss == doctest::Approx(together.loss).epsilon(1e-5));
}

TEST_CASE("an ensemble averages logits; its members must be alike") {
  std::vector<SavedClassifier> ensemble;
  for (const std::uint64_t seed : {5, 6}) {
    Generator g(seed);
    ensemble.push_back(SavedClassifier({kSmall, LabelSet({"second", "first"}), {}, words(), {}}, g));
  }
  const LabelledSequences data = which_is_first(50, 4);
  Workers workers(1);
  const ClassifierScore both = evaluate(ensemble, data, workers);
  const ClassifierScore a = evaluate(ensemble[0], data, workers), b = evaluate(ensemble[1], data, workers);
  CHECK(both.loss <= (a.loss + b.loss) / 2);  // cross entropy is convex in the logits
  for (std::size_t i = 0; i < data.size(); ++i)
    if (a.predicted[i] == b.predicted[i]) CHECK(both.predicted[i] == a.predicted[i]);
  ensemble[1] = untrained(kSmall, {}, LabelSet({"first", "second"}));
  CHECK_THROWS_WITH(evaluate(ensemble, data, workers), doctest::Contains("other labels"));
}

TEST_CASE("batches smaller than the number of threads are no trouble") {
  SavedClassifier saved = untrained();
  CHECK(std::isfinite(train_quietly(saved, 4, {.epochs = 1, .batch = 3}).epochs[0].loss));
}

TEST_CASE("a classifier comes back from its file with the same predictions") {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  ClassifierOptions options = kSmall;
  options.net.layers = 2;
  options.net.cell = CellKind::lstm;
  options.net.pool = nn::Pool::attention;
  SavedClassifier saved = untrained(options);
  save_model(path, saved);
  SavedClassifier loaded = load_model<SavedClassifier>(path);
  CHECK(loaded.vocabulary.tokens() == saved.vocabulary.tokens());
  CHECK(loaded.options.net.pool == nn::Pool::attention);
  CHECK(loaded.options.net.layers == 2);
  CHECK(loaded.options.net.cell == CellKind::lstm);
  CHECK(numbers(loaded) == numbers(saved));
}

TEST_CASE("a linear classifier over tokens knows what is there, not in which order") {
  LabelledSequences data, other;
  Generator g(1);
  for (int i = 0; i < 400; ++i) {
    std::vector<int> text(1 + g.below(6));
    for (int& word : text) word = 2 + static_cast<int>(g.below(kWords - 2));
    const int label = static_cast<int>(g.below(2));
    if (label) text[g.below(text.size())] = 1;
    LabelledSequences& part = i < 300 ? data : other;
    part.texts.push_back(text);
    part.labels.push_back({label});
  }
  Workers workers(2);
  SavedClassifier linear = untrained({}, {.ngrams = 1});
  ClassificationTask task(linear, data, other, {.batch = 16});
  const TrainingOptions options{.epochs = 15, .batch = 16, .lr = 0.05};
  train(task, options, workers, {.style = Progress::Style::silent});
  CHECK(evaluate(linear, other, workers).accuracy == 1);
  const LabelledSequences order = which_is_first(400, 2);
  ClassificationTask hopeless(linear, order, order, {.batch = 16});
  train(hopeless, options, workers, {.style = Progress::Style::silent});
  CHECK(evaluate(linear, order, workers).accuracy < 0.75);
}

TEST_CASE("many labels: each is a question of its own") {
  // Label i holds where word i + 1 is; none, one or both of them may.
  auto make = [](int count, std::uint64_t seed) {
    Generator g(seed);
    LabelledSequences data;
    for (int i = 0; i < count; ++i) {
      std::vector<int> text(4 + g.below(4)), labels;
      for (int& word : text) word = 3 + static_cast<int>(g.below(kWords - 3));
      for (int label = 0; label < 2; ++label)
        if (g.below(2)) {
          text[static_cast<std::size_t>(2 * label) + g.below(2)] = label + 1;
          labels.push_back(label);
        }
      data.texts.push_back(text);
      data.labels.push_back(labels);
    }
    return data;
  };
  ClassifierOptions options = kSmall;
  options.many_labels = true;
  SavedClassifier saved = untrained(options);
  const LabelledSequences training = make(500, 1), validation = make(100, 2), test = make(200, 3);
  Workers workers(2);
  ClassificationTask task(saved, training, validation, {.batch = 16});
  const TrainingRecord record = train(task, kShort, workers, {.style = Progress::Style::silent});
  CHECK(record.best().validation[0].name == "F1");
  const ClassifierScore score = evaluate(saved, test, workers);
  CHECK(score.f1 > 0.97);
  CHECK(score.accuracy > 0.95);
  // The probability that just the predicted labels hold is what their loss would be the logarithm of.
  LabelledSequences predicted = test;
  predicted.labels = score.predicted;
  double loss = 0;
  for (const double p : score.probability) loss -= std::log(p) / static_cast<double>(test.size());
  CHECK(loss == doctest::Approx(evaluate(saved, predicted, workers).loss).epsilon(1e-4));
}

TEST_CASE("series of numbers: a net tells rising from falling, whatever their units") {
  auto make = [](int count, std::uint64_t seed) {
    Generator g(seed);
    LabelledSequences data;
    for (int i = 0; i < count; ++i) {
      const int label = static_cast<int>(g.below(2));
      Series series{.columns = 2, .values = {}};
      const double slope = (label ? 1 : -1) * g.uniform(5, 20);
      for (std::uint64_t t = 0, steps = 3 + g.below(8); t < steps; ++t) {
        series.values.push_back(static_cast<float>(1000 + slope * static_cast<double>(t) + 10 * g.normal()));
        series.values.push_back(static_cast<float>(1e-3 * g.normal()));
      }
      data.series.push_back(series);
      data.labels.push_back({label});
    }
    return data;
  };
  const LabelledSequences training = make(300, 1), validation = make(60, 2), test = make(200, 3);
  ScalingSums sums(2);
  for (const Series& s : training.series)
    for (std::size_t i = 0; i < s.values.size(); i += 2)
      sums.add(std::span<const float>(s.values).subspan(i, 2));
  const Scaling scaling = sums.scaling();
  CHECK(scaling.means[0] == doctest::Approx(1000).epsilon(0.02));
  CHECK(scaling.original(scaling.scaled(7.5, 1), 1) == doctest::Approx(7.5));
  Generator g(5);
  SavedClassifier saved({kSmall, LabelSet({"falls", "rises"}), {}, {}, scaling}, g);
  Workers workers(2);
  ClassificationTask task(saved, training, validation, {.batch = 16});
  train(task, kShort, workers, {.style = Progress::Style::silent});
  const ClassifierScore score = evaluate(saved, test, workers);
  CHECK(score.accuracy > 0.9);

  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  save_model(path, saved);
  const ClassifierScore again = evaluate(load_model<SavedClassifier>(path), test, workers);
  CHECK(again.loss == score.loss);
  CHECK(again.predicted == score.predicted);
}

TEST_CASE("a small file that describes a large net is refused at once, before anything is drawn") {
  const TemporaryFolder folder;
  SavedClassifier saved = untrained();
  ModelCard card = card_of(saved);
  card.configuration["hidden"] = Index{3000};
  save_model(folder.file("model"), card, parameters(saved));
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH_AS(load_model<SavedClassifier>(folder.file("model")), doctest::Contains("encoder"),
                       Error);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("learning counts what is right without another op") {
  for (const bool many_labels : {false, true}) {
    ClassifierOptions options = kSmall;
    options.many_labels = many_labels;
    SavedClassifier saved = untrained(options);
    const LabelledSequences data = which_is_first(16, 1);
    ClassificationTask task(saved, data, {}, {.batch = 16});
    Workers workers(1);
    Generator g(1);
    task.begin_epoch(g);
    Tally tally;
    workers.run([&](Worker& worker) { tally = task.learn(0, {}, worker, g); });
    CHECK(tally.answers == 16);
    const auto names = ops_on(workers[0].tape);
    CHECK(std::ranges::count(names, many_labels ? "sigmoid" : "softmax") == 0);
  }
}

TEST_CASE("a card says what its net uses, and nothing else") {
  auto has = [](const ModelCard& card, const char* name) { return card.configuration.contains(name); };
  const ModelCard text = card_of(untrained()), ngrams = card_of(untrained({}, {.ngrams = 2}));
  CHECK((has(text, "embed") && has(text, "pool") && has(text, "cell")));
  CHECK((has(ngrams, "ngrams") && !has(ngrams, "embed") && !has(ngrams, "pool") && !has(ngrams, "cell")));
  Generator g(5);
  const ModelCard series = card_of(SavedClassifier({kSmall, LabelSet({"a", "b"}), {}, {}, {{0}, {1}}}, g));
  CHECK((has(series, "pool") && !has(series, "embed")));
}

TEST_CASE("a file that is no classifier is refused by name") {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  auto message = [&](const nn::Metadata& metadata) {
    nn::write_safetensors(path, nn::SafeTensors{{}, metadata});
    try {
      load_model<SavedClassifier>(path);
    } catch (const Error& e) {
      const std::string what = e.what();
      CHECK(what.find(path) != std::string::npos);
      return what;
    }
    return std::string("accepted");
  };
  auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(message({}), "no 'unroll.model' in its metadata"));
  CHECK(has(message({{"unroll.model", "tagger"}}), "needed a classifier"));
  nn::Metadata metadata{{"unroll.model", "classifier"},
                        {"unroll.configuration", "{\"many-labels\": "},
                        {"unroll.lists", "{\"vocabulary\": [\"?\"]}"}};
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"many-labels\": {}}";
  CHECK(has(message(metadata), "not what unroll writes"));
  metadata["unroll.configuration"] = "{\"many-labels\": false, \"reads-text\": false}";
  CHECK(has(message(metadata), "no setting 'cell'"));
  metadata["unroll.configuration"] = "{\"many-labels\": 99999999}";
  CHECK(has(message(metadata), "bad setting 'many-labels'"));
}

}  // namespace unroll::models
