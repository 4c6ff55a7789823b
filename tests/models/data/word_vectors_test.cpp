#include "models/data/word_vectors.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {
const Vocabulary kWords({"<unk>", "cat", "dog", ". ."});
}

TEST_CASE("word vectors: with a header line and without, blanks at the end and in words") {
  const TemporaryFolder folder;
  for (const char* header : {"", "4 2\n"}) {
    BadRows bad;
    const WordVectors vectors = read_word_vectors(
        folder.file("a", std::string(header) + "dog 1 2 \nbird 0 0\n. . -1 5e-1\ncat 3 4\n"), kWords, bad);
    CHECK(vectors.width == 2);
    CHECK(vectors.in_file == 4);
    CHECK(vectors.ids == std::vector<int>{2, 3, 1});
    Tensor table = Tensor(Shape{4, 2}, f32);
    vectors.write_to(table);
    CHECK(table.at(0) == 0);
    CHECK(table.at(1 * 2 + 1) == 4);
    CHECK(table.at(2 * 2 + 0) == 1);
    CHECK(table.at(3 * 2 + 1) == 0.5);
  }
}

TEST_CASE("word vectors: every kind of bad input is named, or skipped and counted") {
  const TemporaryFolder folder;
  auto message = [&](const std::string& content) {
    BadRows bad;
    return complaint([&] { read_word_vectors(folder.file("a", content), kWords, bad); },
                     folder.path.string() + "/");
  };
  CHECK(message("") == "[word vectors] a: a file without vectors came; needed a word and its numbers a line");
  CHECK(message("cat\n") ==
        "[word vectors] a:1: 'cat' came; needed a word and its numbers, blanks between them");
  CHECK(message("cat 1 2\ndog 1\n") ==
        "[word vectors] a:2: 'dog' as number 1 came; needed a word and 2 finite numbers");
  CHECK(message("cat 1 2\ndog 1 2 3\n") == "[word vectors] a:2: 3 numbers after 'dog' came; needed 2");
  CHECK(message("cat 1 2\ndog 1 x\n") ==
        "[word vectors] a:2: 'x' as number 2 came; needed a word and 2 finite numbers");
  CHECK(message("cat 1 -1e39\n").find("'-1e39' as number 2") != std::string::npos);
  CHECK(message("cat 1 nan\n").find("'nan' as number 2") != std::string::npos);
  CHECK(message("cat 1 2\n1 2\n") ==
        "[word vectors] a:2: no word came; needed a word and 2 finite numbers, blanks between them");
  CHECK(message("cat 1 2\ncat 1 2\n") ==
        "[word vectors] a:2: the word 'cat' a second time came; needed each word once");
  CHECK(message("3 2\ncat 1 2\n") == "[word vectors] a: 1 rows came; needed 3 as the first line says");
  CHECK(message("bird 1 2\n") ==
        "[word vectors] a: none of its 1 words is in the vocabulary of the training data; needed some");
  CHECK(message("cat 1 2\nd\xFFg 1 2\n").starts_with("[utf-8] a:2: byte 0xFF"));

  BadRows bad(BadRows::Policy::skip);
  CHECK(read_word_vectors(folder.file("a", "cat 1 2\ndog 1\n\xFF 1 2\n. . 3 4\n"), kWords, bad).ids.size() ==
        2);
  CHECK(bad.skipped() == 2);
}

}  // namespace unroll::models
