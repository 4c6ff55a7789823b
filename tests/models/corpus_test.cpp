#include "models/corpus.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "autograd/error.h"

namespace unroll::models {

namespace {

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "unroll_corpus_test";
  Folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return (path / name).string();
  }
};

const Tokenisation kWords{Level::word, true};

std::vector<int> list(std::span<const int> ids) { return {ids.begin(), ids.end()}; }

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}
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
  const Folder folder;
  const Corpus corpus({.training = folder.file("a", "the cat\nthe dog\n"),
                       .validation = folder.file("b", "the bird\n"),
                       .test = folder.file("c", "cat cat")},
                      kWords, {});
  const Vocabulary& v = corpus.vocabulary();
  CHECK(v.tokens() == std::vector<std::string>{"<unk>", "<eos>", "the", "cat", "dog"});
  CHECK(list(corpus.training()) == std::vector<int>{2, 3, 1, 2, 4, 1});
  CHECK(list(corpus.validation()) == std::vector<int>{2, 0, 1});
  CHECK(list(corpus.test()) == std::vector<int>{3, 3});
  const Corpus small({.training = folder.file("a", "the cat\nthe dog\n")}, kWords, {.max_size = 3});
  CHECK(small.vocabulary().size() == 3);
  CHECK(list(small.training()) == std::vector<int>{2, 0, 1, 2, 0, 1});
  CHECK(small.validation().empty());
}

TEST_CASE("corpus: one file that is split") {
  const Folder folder;
  const std::string text = folder.file("a", "abcdefghi\n");
  const Corpus two({.text = text}, {}, {});
  CHECK(two.training().size() == 9);
  CHECK(two.validation().size() == 1);
  CHECK(two.validation()[0] == Vocabulary::kUnknown);  // the new line was not seen in training
  const Corpus three({.text = text, .split = {0.5, 0.3, 0.2}}, {}, {});
  CHECK(three.training().size() == 5);
  CHECK(three.validation().size() == 3);
  CHECK(three.test().size() == 2);
  for (const std::vector<double>& bad :
       std::vector<std::vector<double>>{{1}, {0.5, 0.6}, {0.5, 0}, {1, 2, 3, 4}})
    CHECK(has(message_of([&] { Corpus({.text = text, .split = bad}, {}, {}); }), "needed two or three"));
}

TEST_CASE("corpus: bad input is named by file and line, or skipped and counted") {
  const Folder folder;
  const std::string bad = folder.file("bad",
                                      "good\nb\xFF"
                                      "d\nfine\n");
  CHECK(has(message_of([&] { Corpus({.training = bad}, kWords, {}); }), "bad:2: byte 0xFF came at column 2"));
  const Corpus skipped({.training = bad}, kWords, {}, Bad::skip);
  CHECK(skipped.skipped_lines() == 1);
  CHECK(skipped.training().size() == 4);
  CHECK(has(message_of([&] { Corpus({.training = folder.file("empty", "")}, kWords, {}); }),
            "empty has no token for the training"));
  CHECK(has(message_of([&] { Corpus({.training = "/nowhere/x"}, kWords, {}); }), "/nowhere/x"));
  CHECK(has(message_of([&] { Corpus({.training = folder.path.string()}, kWords, {}); }), "is a folder"));
}

TEST_CASE("lines: numbers, ends, and rejections of the caller") {
  const Folder folder;
  LineReader reader(folder.file("a", "one\n\nthree"), Bad::skip);
  std::string_view line;
  CHECK(reader.next(line));
  CHECK(line == "one");
  CHECK(reader.next(line));
  CHECK(line.empty());
  CHECK(reader.ended());
  reader.reject("test", "an empty line came");
  CHECK(reader.next(line));
  CHECK(line == "three");
  CHECK_FALSE(reader.ended());
  CHECK(reader.number() == 3);
  CHECK(reader.skipped() == 1);
  CHECK_FALSE(reader.next(line));
  LineReader strict(folder.file("a", "one"));
  strict.next(line);
  CHECK(has(message_of([&] { strict.reject("test", "x came"); }), "a:1: x came"));
}

}  // namespace unroll::models
