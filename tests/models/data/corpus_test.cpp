#include "models/data/corpus.h"

#include <doctest/doctest.h>

#include <numeric>

#include "autograd/system/error.h"
#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

const Tokenisation kWords{Level::word, true};
BadRows refuse;

std::vector<int> list(std::span<const int> ids) { return {ids.begin(), ids.end()}; }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("token store: beyond its memory it is the same list") {
  for (const Index limit : {1, 3, 7, 1000}) {
    TokenStore store(limit);
    std::vector<int> expected;
    for (int i = 0; i < 25; ++i) {
      store.add(i * i);
      expected.push_back(i * i);
      if (i % 10 == 9) {
        CHECK(list(store.ids()) == expected);
        store.ids()[0] = expected[0] = i;
      }
    }
    CHECK(store.size() == 25);
    CHECK(list(store.ids()) == expected);
  }
  TokenStore empty;
  CHECK(empty.ids().empty());
}

TEST_CASE("corpus: files, with the vocabulary of the training part") {
  const TemporaryFolder folder;
  const Corpus corpus({.training = folder.file("a", "the cat\nthe dog\n"),
                       .validation = folder.file("b", "the bird\n"),
                       .test = folder.file("c", "cat cat")},
                      kWords, {}, refuse);
  const Vocabulary& v = corpus.vocabulary();
  CHECK(v.tokens() == std::vector<std::string>{"<unk>", "<eos>", "the", "cat", "dog"});
  CHECK(list(corpus.training()) == std::vector<int>{2, 3, 1, 2, 4, 1});
  CHECK(list(corpus.validation()) == std::vector<int>{2, 0, 1});
  CHECK(list(corpus.test()) == std::vector<int>{3, 3});
  const Corpus small({.training = folder.file("a", "the cat\nthe dog\n")}, kWords, {.max_size = 3}, refuse);
  CHECK(small.vocabulary().size() == 3);
  CHECK(list(small.training()) == std::vector<int>{2, 0, 1, 2, 0, 1});
  CHECK(small.validation().empty());
}

TEST_CASE("corpus: one file that is split") {
  const TemporaryFolder folder;
  const std::string text = folder.file("a", "abcdefghi\n");
  const Corpus two({.all = text, .split = {0.9, 0.1}}, {}, {}, refuse);
  CHECK(two.training().size() == 9);
  CHECK(two.validation().size() == 1);
  CHECK(two.validation()[0] == Vocabulary::kUnknown);  // the new line was not seen in training
  const Corpus three({.all = text, .split = {0.5, 0.3, 0.2}}, {}, {}, refuse);
  CHECK(three.training().size() == 5);
  CHECK(three.validation().size() == 3);
  CHECK(three.test().size() == 2);
  for (const std::vector<double>& bad :
       std::vector<std::vector<double>>{{1}, {0.5, 0.6}, {0.5, 0}, {1, 2, 3, 4}})
    CHECK(
        has(complaint([&] { Corpus({.all = text, .split = bad}, {}, {}, refuse); }), "needed two or three"));
}

TEST_CASE("corpus: bad input is named by file and line, or skipped and counted") {
  const TemporaryFolder folder;
  const std::string bad = folder.file("bad",
                                      "good\nb\xFF"
                                      "d\nfine\n");
  CHECK(has(complaint([&] { Corpus({.training = bad}, kWords, {}, refuse); }),
            "bad:2: byte 0xFF came at column 2"));
  BadRows skip(BadRows::Policy::skip);
  const Corpus skipped({.training = bad}, kWords, {}, skip);
  CHECK(skip.skipped() == 1);
  CHECK(skipped.training().size() == 4);
  CHECK(has(complaint([&] { Corpus({.training = folder.file("empty", "")}, kWords, {}, refuse); }),
            "empty has no token for training"));
  CHECK(has(complaint([&] { Corpus({.training = "/nowhere/x"}, kWords, {}, refuse); }), "/nowhere/x"));
  CHECK(has(complaint([&] { Corpus({.training = folder.path.string()}, kWords, {}, refuse); }),
            "a folder came"));
}

}  // namespace unroll::models
