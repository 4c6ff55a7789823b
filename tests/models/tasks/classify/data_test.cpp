#include "models/tasks/classify/data.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

TEST_CASE("tokens: characters, words, punctuation, n-grams") {
  using Strings = std::vector<std::string>;
  CHECK(tokens_of("A b.", {.level = Level::word}) == Strings{"A", "b."});
  CHECK(tokens_of("A b.", {.level = Level::word, .punctuation = true}) == Strings{"a", "b", "."});
  CHECK(tokens_of("\u00e9a", {.level = Level::character}) == Strings{"\u00e9", "a"});
  CHECK(tokens_of("a b c", {.level = Level::word, .ngrams = 2}) == Strings{"a", "a b", "b", "b c", "c"});
  CHECK(tokens_of("ab", {.level = Level::character, .ngrams = 3}) ==
        Strings{"\2", "\2a", "\2ab", "a", "ab", "ab\3", "b", "b\3", "\3"});
}

TEST_CASE("classifier data: files of their own; vocabulary and labels are the training file's") {
  const TemporaryFolder folder;
  ClassifierDataOptions options;
  options.files.training = folder.file("train", "yes a b a\nno c\n");
  options.files.test = folder.file("test", "no a d\n");
  BadRows bad;
  const ClassifierData data = read_classifier_data(options, bad);
  CHECK(data.vocabulary.tokens() == std::vector<std::string>{"<unk>", "a", "b", "c"});
  CHECK(data.labels.names() == std::vector<std::string>{"yes", "no"});
  CHECK(data.parts[0].texts == std::vector<std::vector<int>>{{1, 2, 1}, {3}});
  CHECK(data.parts[0].labels == std::vector<std::vector<int>>{{0}, {1}});
  CHECK(data.parts[1].size() == 0);
  CHECK(data.parts[2].texts == std::vector<std::vector<int>>{{1, 0}});
}

TEST_CASE(
    "classifier data: shares of one file are disjoint, the same for the same seed, without duplicates") {
  const TemporaryFolder folder;
  std::string rows;
  for (int i = 0; i < 100; ++i)
    rows += std::string(i % 2 ? "odd" : "even") + "\tw" + std::to_string(i) + "\n";
  rows += "odd\tw1\nodd\tw1\neven\tw1\n";  // two duplicates; the last has another label
  ClassifierDataOptions options;
  options.files.all = folder.file("all", rows);
  options.files.split = {0.7, 0.2, 0.1};
  options.unique = true;
  options.text.level = Level::character;
  BadRows bad;
  const ClassifierData data = read_classifier_data(options, bad);
  CHECK(data.duplicates == 2);
  CHECK(data.parts[0].size() == 71);
  CHECK(data.parts[1].size() == 20);
  CHECK(data.parts[2].size() == 10);
  std::map<std::vector<int>, int> times;
  for (const LabelledSequences& part : data.parts)
    for (std::size_t i = 0; i < part.size(); ++i) {
      auto row = part.texts[i];
      row.push_back(part.labels[i][0]);
      ++times[row];
    }
  for (const auto& [row, count] : times) CHECK(count == 1);
  CHECK(read_classifier_data(options, bad).parts[2].texts == data.parts[2].texts);
  options.files.split_seed = 2;
  CHECK(read_classifier_data(options, bad).parts[2].texts != data.parts[2].texts);
}

TEST_CASE("classifier data: what is wrong is said") {
  const TemporaryFolder folder;
  BadRows bad;
  auto message = [&](ClassifierDataOptions options) {
    return complaint([&] { read_classifier_data(options, bad); }, folder.path.string() + "/");
  };
  ClassifierDataOptions options;
  CHECK(message(options) == "[classify] neither --data nor --train came; needed one of them");
  options.files.training = folder.file("train", "a\tx\nb\ty\n");
  options.files.validation = folder.file("valid", "a\tx\nc\ty\n");
  CHECK(message(options) ==
        "[labels] valid:2: the label 'c' came; needed one of the 2 that the training data has");
  {
    BadRows skip(BadRows::Policy::skip);
    const ClassifierData data = read_classifier_data(options, skip);
    CHECK(data.parts[1].size() == 1);
    CHECK(skip.skipped() == 1);
  }
  options.files.all = options.files.training;
  CHECK(message(options) == "[classify] --data and --train came; needed one of them");
  options.files.training = "";
  CHECK(message(options) ==
        "[classify] --data came with --valid or --test; needed --train with them, or --split");
  options.files.validation = "";
  CHECK(message(options) ==
        "[classify] train has 2 rows, none of them for validation; needed some for each part");
  options.files.split = {0.5, 0.6};
  CHECK(message(options).find("2 shares of 1.1 in all came with --split") != std::string::npos);
  options.files = {};
  options.files.training = folder.file("one", "a\tx\na\ty\n");
  CHECK(message(options) == "[classify] training data with 1 different labels came; needed at least 2");

  const std::string header = "@classLabel true up down\n@data\n";
  options.files.training = folder.file("train.ts", header + "1:2:up\n3:4:down\n");
  options.files.test = folder.file("test.ts", header + "1:2:3:up\n");
  CHECK(message(options) == "[classify] test.ts:3: a series of 3 dimensions came; needed 2 as in training");
  options.files.test = folder.file("test.ts", "@classLabel false\n@data\n1:2\n");
  CHECK(message(options) == "[classify] test.ts:3: a row without a label came; needed one");
}

TEST_CASE("a trained classifier reads files with its own vocabulary and labels") {
  const TemporaryFolder folder;
  ClassifierDataOptions options;
  options.files.training = folder.file("train", "yes a b a\nno c\n");
  BadRows bad;
  const ClassifierData data = read_classifier_data(options, bad);
  Generator g(1);
  const SavedClassifier classifier({{.net = {.embed = 2, .hidden = 2}}, data.labels, {}, data.vocabulary, {}},
                                   g);
  const auto read = [&](const std::string& name, const std::string& content) {
    return read_labelled_sequences(classifier, folder.file(name, content), {}, bad);
  };
  const LabelledSequences sequences = read("x", "no zzz b\n");
  CHECK(sequences.texts == std::vector<std::vector<int>>{{0, 2}});
  CHECK(sequences.labels == std::vector<std::vector<int>>{{1}});
  CHECK(complaint([&] { read("x", "no b\nmaybe b\n"); }, folder.path.string() + "/") ==
        "[labels] x:2: the label 'maybe' came; needed one of the 2 that the training data has");
  CHECK(complaint([&] { read("x.ts", "@data\n1\n"); }, folder.path.string() + "/") ==
        "[classify] x.ts came; needed a file of texts, as in training");
}

}  // namespace unroll::models
