#include "models/tasks/tag/net.h"

#include <doctest/doctest.h>

#include "models/tasks/tag/task.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

// An invented language: nouns begin with "ka", verbs end in "et", the rest of a word is random, so that most
// words of the test are new; a word "to" is a verb's particle before a verb and a preposition elsewhere.
std::string sentences(int count, std::uint64_t seed) {
  Generator g(seed);
  auto stem = [&] {
    std::string text;
    for (int i = 0; i < 4; ++i) text += static_cast<char>('l' + g.below(8));
    return text;
  };
  std::string file;
  for (int i = 0; i < count; ++i) {
    for (std::uint64_t w = 0, words = 2 + g.below(6); w < words; ++w) {
      const bool verb = g.below(2) == 0;
      if (g.below(3) == 0) file += verb ? "to\tPART\n" : "to\tADP\n";
      file += verb ? stem() + "et\tVERB\n" : "ka" + stem() + "\tNOUN\n";
    }
    file += "\n";
  }
  return file;
}

const TaggerOptions kSmall{.char_embed = 8,
                           .char_hidden = 8,
                           .net = {.cell = CellKind::lstm, .embed = 8, .hidden = 12, .bidirectional = true}};
const TrainingOptions kShort{.epochs = 8, .batch = 16, .lr = 0.02, .schedule = "cosine"};

TaggingDataOptions files(const TemporaryFolder& folder) {
  TaggingDataOptions options;
  options.files.training = folder.file("train", sentences(250, 1));
  options.files.validation = folder.file("valid", sentences(50, 2));
  options.files.test = folder.file("test", sentences(100, 3));
  options.format = {TaggedForm::columns, 0};
  return options;
}

}  // namespace

TEST_CASE("a tagger learns from spelling and from neighbours; it comes back from its file") {
  const TemporaryFolder folder;
  BadRows bad;
  const TaggingData data = read_tagging_data(files(folder), bad);
  Generator g(5);
  SavedTagger tagger({kSmall, data.tags, data.vocabulary, data.alphabet}, g);
  Workers workers(2);
  TaggingTask task(tagger, data.parts[0], data.parts[1], {.batch = 16}, {.word_dropout = 0.2});
  train(task, kShort, workers, {.style = Progress::Style::silent});
  const TaggerScore score = evaluate(tagger, data.parts[2], workers);
  CHECK(score.unknown > 100);  // enough to speak of an accuracy
  CHECK(score.accuracy > 0.98);
  CHECK(score.unknown_accuracy > 0.97);

  const std::string path = folder.file("model.safetensors");
  save_model(path, tagger);
  const SavedTagger loaded = load_model<SavedTagger>(path);
  const TaggedData again = read_tagged_data(loaded, folder.file("test"), {TaggedForm::columns, 0}, bad);
  const TaggerScore from_file = evaluate(loaded, again, workers);
  CHECK(from_file.predicted == score.predicted);
  CHECK(from_file.loss == doctest::Approx(score.loss));
  CHECK(from_file.unknown == score.unknown);
}

TEST_CASE("without spelling new words cannot be told") {
  const TemporaryFolder folder;
  BadRows bad;
  const TaggingData data = read_tagging_data(files(folder), bad);
  TaggerOptions options = kSmall;
  options.char_hidden = 0;
  Generator g(5);
  SavedTagger tagger({options, data.tags, data.vocabulary, data.alphabet}, g);
  Workers workers(2);
  TaggingTask task(tagger, data.parts[0], data.parts[1], {.batch = 16}, {.word_dropout = 0.2});
  train(task, {.epochs = 3, .batch = 16, .lr = 0.02}, workers, {.style = Progress::Style::silent});
  CHECK(evaluate(tagger, data.parts[2], workers).unknown_accuracy < 0.85);
}

TEST_CASE("a sentence's tags do not depend on its company, nor on the number of threads") {
  const TemporaryFolder folder;
  BadRows bad;
  const TaggingData data = read_tagging_data(files(folder), bad);
  Generator g(5);
  const SavedTagger tagger({kSmall, data.tags, data.vocabulary, data.alphabet}, g);
  Workers one(1), three(3);
  const TaggerScore together = evaluate(tagger, data.parts[2], one),
                    threads = evaluate(tagger, data.parts[2], three);
  CHECK(together.predicted == threads.predicted);
  CHECK(together.loss == threads.loss);
  TaggedData alone = data.parts[2];
  for (std::size_t i = 0; i < 20; ++i) {
    alone.sentences = {data.parts[2].sentences[i]};
    alone.tags = {data.parts[2].tags[i]};
    CHECK(evaluate(tagger, alone, one).predicted[0] == together.predicted[i]);
  }
}

TEST_CASE("packed sentences spell each different word once") {
  TaggedData data{.sentences = {{0, 1}, {1, 1, 2}},
                  .tags = {},
                  .words = {5, 6, 0},
                  .characters = {{1}, {2, 3}, {4, 5, 6}}};
  const PackedSentences packed = pack_sentences(data, std::vector<int>{0, 1});
  CHECK(packed.words == std::vector<int>{6, 5, 6, 6, 0});
  CHECK(packed.spelling == std::vector<int>{0, 1, 0, 0, 2});
  CHECK(packed.spellings.batch() == 3);
  CHECK(packed.spellings.length(0) == 2);
  CHECK(packed.spellings.length(2) == 3);
  CHECK(packed.characters == std::vector<int>{4, 2, 1, 5, 3, 6});
}

}  // namespace unroll::models
