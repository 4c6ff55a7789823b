#include "models/tasks/net_options.h"

#include <doctest/doctest.h>

#include "models/tasks/classify/task.h"
#include "models/tasks/forecast/task.h"
#include "models/tasks/language/notes.h"
#include "models/tasks/language/task.h"
#include "models/tasks/tag/task.h"

namespace unroll::models {

namespace {

const TrainingOptions kRun{.batch = 2, .bptt = 5};
const Vocabulary kLetters({"?", "a", "b"});

// Of the first batch, as it is learned from.
double loss_of(TrainingTask auto&& task) {
  Workers workers(1);
  Generator order(1), noise(2);
  task.begin_epoch(order);
  double loss = 0;
  workers.run([&](Worker& worker) { loss = task.learn(0, {}, worker, noise).mean_loss(); });
  return loss;
}

double classifier_loss(const NetOptions& net) {
  Generator g(1);
  SavedClassifier saved({{.net = net}, LabelSet({"x", "y"}), {}, kLetters, {}}, g);
  const LabelledSequences data{.texts = {{1, 2, 1}, {2, 2}}, .series = {}, .labels = {{0}, {1}}};
  return loss_of(ClassificationTask(saved, data, {}, kRun));
}

double tagger_loss(const NetOptions& net) {
  Generator g(1);
  SavedTagger saved({{.net = net}, LabelSet({"x", "y"}), kLetters, kLetters}, g);
  const TaggedData data{
      .sentences = {{0, 1, 0}}, .tags = {{0, 1, 1}}, .words = {1, 2}, .characters = {{1}, {2, 1}}};
  return loss_of(TaggingTask(saved, data, {}, kRun));
}

double language_loss(const NetOptions& net) {
  Generator g(1);
  const LanguageModelOptions options{.tokens = {}, .net = net};
  SavedLanguageModel saved({options, kLetters}, g);
  const std::vector<int> text = {1, 2, 2, 1, 2, 1, 1, 2, 1, 2, 1};
  return loss_of(LanguageTask(saved, text, {}, kRun));
}

double note_loss(const NetOptions& net) {
  Generator g(1);
  SavedNoteModel saved({net}, g);
  const std::vector<KeySteps> pieces = {{{40}, {44}, {47}, {}}};
  return loss_of(NoteTask(saved, pieces, {}, kRun));
}

double forecaster_loss(const NetOptions& net) {
  Generator g(1);
  const Scaling scaling{{0}, {1}};
  SavedForecaster saved({{.inputs = {"x"}, .targets = {"x"}, .window = 4, .net = net}, scaling}, g);
  const NumberTable table{.columns = {"x"}, .values = {1, 2, 1, 0, 1, 2}, .pieces = {0}};
  return loss_of(ForecastTask(saved, table, table, kRun));
}

}  // namespace

TEST_CASE("variational dropout is another dropout, in every model, wherever rows have time steps") {
  auto differs = [](double (*loss)(const NetOptions&), Index layers) {
    NetOptions net{.embed = 16, .hidden = 16, .layers = layers, .dropout = 0.5};
    const double plain = loss(net);
    net.variational = true;
    return loss(net) != plain;
  };
  CHECK(differs(classifier_loss, 1));
  CHECK(differs(tagger_loss, 1));
  CHECK(differs(language_loss, 1));
  CHECK(differs(note_loss, 1));
  CHECK(differs(forecaster_loss, 2));
  CHECK_FALSE(differs(forecaster_loss, 1));  // only its one row for each window is dropped from
}

}  // namespace unroll::models
