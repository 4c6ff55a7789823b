#include "models/tasks/language/notes.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/system/error.h"
#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

// Two chords in turn, with pieces of several lengths.
std::vector<KeySteps> alternating(int pieces) {
  std::vector<KeySteps> all;
  for (int p = 0; p < pieces; ++p) {
    KeySteps& steps = all.emplace_back();
    for (int t = 0; t < 4 + p % 5; ++t)
      steps.push_back(t % 2 ? std::vector<int>{10, 14, 17} : std::vector<int>{20, 24});
  }
  return all;
}

std::string message_of(const std::string& content) {
  const TemporaryFolder folder;
  return complaint([&] { read_piano_rolls(folder.file("notes.json", content)); });
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("notes: an untrained net loses about 88 ln 2 a step, a trained one little, for any workers alike") {
  Generator g(1);
  const NetOptions options{.cell = CellKind::lstm, .hidden = 16};
  SavedNoteModel saved({options}, g);
  const std::vector<KeySteps> pieces = alternating(40);
  Workers one(1), three(3);
  CHECK(evaluate(saved.net, pieces, one) == doctest::Approx(88 * std::log(2)).epsilon(0.2));
  CHECK(evaluate(saved.net, pieces, one) == evaluate(saved.net, pieces, three));
  const TrainingOptions run{.epochs = 80, .batch = 8, .lr = 0.03, .schedule = "cosine"};
  NoteTask task(saved, pieces, pieces, run);
  const TrainingRecord record = train(task, run, three, {.style = Progress::Style::silent});
  CHECK(record.best().validation[0].value < 0.5);
  CHECK(evaluate(saved.net, pieces, one) == record.best().validation[0].value);
}

TEST_CASE("notes: the loss of a step is that of all its keys") {
  Generator g(1);
  const NetOptions options{.hidden = 3};
  NoteModel model(options, g);
  for (const NamedParameter& p : parameters(model)) p.parameter->value().fill(0);
  model.output.bias.value().set(5, 2);
  Workers workers(1);
  const std::vector<KeySteps> piece = {{{}, {5}, {}}};
  const double on = std::log1p(std::exp(-2.0)), off = std::log1p(std::exp(2.0));
  CHECK(evaluate(model, piece, workers) == doctest::Approx(87 * std::log(2) + (on + off) / 2));
}

TEST_CASE("notes: bad files are named with the place") {
  const std::string rest = "\"valid\": [], \"test\": []}";
  CHECK(message_of("{\"train\": [[[21, 108], []]], " + rest) == "none");
  CHECK(has(message_of("{\"train\": ["), "needed JSON"));
  CHECK(has(message_of(std::string(200000, '[')), "more than 64 lists and objects inside one another came"));
  CHECK(has(message_of("{\"train\": [], \"train\": [], " + rest), "the key 'train' came twice"));
  CHECK(has(message_of("[]"), "needed an object"));
  CHECK(has(message_of("{}"), "'train' is missing"));
  CHECK(has(message_of("{\"train\": 3, " + rest), "'train': 3 came; needed a list of pieces"));
  CHECK(has(message_of("{\"train\": [[[60]]], " + rest), "piece 1: [[60]] came; needed a list of two steps"));
  CHECK(has(message_of("{\"train\": [[[60], [20]]], " + rest),
            "piece 1, step 2: 20 came; needed a MIDI pitch"));
  CHECK(has(message_of("{\"train\": [[[60], [60.5]]], " + rest), "60.5 came"));
  CHECK(has(message_of("{\"train\": [[[60], 61]], " + rest), "61 came; needed a list of MIDI pitches"));
}

}  // namespace unroll::models
