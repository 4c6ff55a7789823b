#include "models/data/tagged_text.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

std::vector<TaggedSentence> read(const std::string& path, const TaggedFormat& format, BadRows& bad) {
  std::vector<TaggedSentence> sentences;
  read_tagged_text(path, format, bad, [&](const TaggedSentence& s) { sentences.push_back(s); });
  return sentences;
}

// A line of CoNLL-U.
std::string word(const std::string& id, const std::string& form, const std::string& upos) {
  return id + "\t" + form + "\t_\t" + upos + "\tX\t_\t0\troot\t_\t_\n";
}

constexpr TaggedFormat kUpos{TaggedForm::conllu, 4};

}  // namespace

TEST_CASE("CoNLL-U: comments, multiword tokens and empty nodes are no words") {
  const TemporaryFolder folder;
  BadRows bad;
  const auto sentences = read(
      folder.file("a.conllu", "# sent_id = 1\n# text = v\xC3\xA1monos al mar\n" +
                                  word("1-2", "v\xC3\xA1monos", "_") + word("1", "vamos", "VERB") +
                                  word("2", "nos", "PRON") + word("2.1", "ahora", "_") +
                                  word("2.2", "ya", "ADV") + word("3-4", "al", "_") + word("3", "a", "ADP") +
                                  word("4", "el", "DET") + word("5", "mar azul", "NOUN") + "\n\n# next\n" +
                                  word("0.1", "e", "_") + word("1", "#", "SYM")),
      kUpos, bad);
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0].words == std::vector<std::string>{"vamos", "nos", "a", "el", "mar azul"});
  CHECK(sentences[0].tags == std::vector<std::string>{"VERB", "PRON", "ADP", "DET", "NOUN"});
  CHECK(sentences[0].place.line == 4);
  CHECK(sentences[0].lines == std::vector<Index>{4, 5, 9, 10, 11});
  CHECK(sentences[1].words == std::vector<std::string>{"#"});
}

TEST_CASE("CoNLL-U: the column by name or number") {
  CHECK(tag_column(TaggedForm::conllu, "") == 4);
  CHECK(tag_column(TaggedForm::conllu, "xpos") == 5);
  CHECK(tag_column(TaggedForm::conllu, "8") == 8);
  CHECK(tag_column(TaggedForm::columns, "") == 0);
  CHECK(tag_column(TaggedForm::columns, "3") == 3);
  for (const char* bad : {"form", "id", "2", "11", "colour"})
    CHECK_THROWS_WITH(
        tag_column(TaggedForm::conllu, bad),
        doctest::Contains("needed lemma, upos, xpos, feats, head, deprel, deps, misc, or 3 to 10"));
  for (const char* bad : {"upos", "1", "0", "-1"})
    CHECK_THROWS_WITH(tag_column(TaggedForm::columns, bad), doctest::Contains("needed a number from 2"));
  CHECK(tagged_form_of("x/a.conllu") == TaggedForm::conllu);
  CHECK(tagged_form_of("train.txt") == TaggedForm::columns);
}

TEST_CASE("CoNLL-U: every kind of bad line is named") {
  const TemporaryFolder folder;
  auto message = [&](const std::string& content) {
    BadRows bad;
    return complaint([&] { read(folder.file("a", content), kUpos, bad); }, folder.path.string() + "/");
  };
  const std::string one = word("1", "a", "DET");
  CHECK(message("") == "[tagged text] a: a file without sentences came; needed one word a line");
  CHECK(message("\n\n") == "[tagged text] a: a file without sentences came; needed one word a line");
  CHECK(message("1\ta\tDET\n") ==
        "[tagged text] a:1: 3 fields came; needed the 10 fields of CoNLL-U, TABs between them");
  CHECK(message(word("1", "", "DET")) ==
        "[tagged text] a:1: an empty field form came; needed '_' where there is nothing to say");
  CHECK(message(word("1", "a", "_")) == "[tagged text] a:1: no upos came; needed a tag for each word");
  CHECK(message(one + word("3", "b", "X")) ==
        "[tagged text] a:2: the id '3' came; needed 2, the next word's");
  CHECK(message(word("x", "b", "X")) == "[tagged text] a:1: the id 'x' came; needed 1, the next word's");
  CHECK(message(one + "# late\n") ==
        "[tagged text] a:2: a comment inside a sentence came; needed comments before its first word");
  CHECK(message("# alone\n\n") == "[tagged text] a:1: a sentence without words came; needed at least one");
  CHECK(message(word("2-3", "ab", "_") + one) ==
        "[tagged text] a:1: the multiword token 2-3 came; needed one that begins with word 1, overlaps no "
        "other, "
        "and ends later");
  CHECK(message(word("1-1", "ab", "_") + one).find("the multiword token 1-1") != std::string::npos);
  CHECK(
      message(word("1-3", "abc", "_") + one + word("2-3", "bc", "_")).find("a:3: the multiword token 2-3") !=
      std::string::npos);
  CHECK(
      message(word("1-2", "ab", "_") + one) ==
      "[tagged text] a:1: a multiword token up to word 2 came; needed an end within the sentence of 1 words");
  CHECK(message(one + word("2.1", "e", "_")) == "[tagged text] a:2: the empty node 2.1 came; needed 1.1");
  CHECK(message(one + word("1.2", "e", "_")) == "[tagged text] a:2: the empty node 1.2 came; needed 1.1");
  CHECK(message(one + word("2", "\xFF", "X")).starts_with("[utf-8] a:2: byte 0xFF"));
}

TEST_CASE("columns: words first, tags last or where they are said to be") {
  const TemporaryFolder folder;
  BadRows bad;
  const std::string path = folder.file("a", "EU NNP B-ORG\nrejects VBZ O\n \n\nA DT O\n");
  const auto last = read(path, {TaggedForm::columns, 0}, bad);
  REQUIRE(last.size() == 2);
  CHECK(last[0].tags == std::vector<std::string>{"B-ORG", "O"});
  CHECK(read(path, {TaggedForm::columns, 2}, bad)[0].tags == std::vector<std::string>{"NNP", "VBZ"});
  CHECK(read(folder.file("b", "a b\tX\n"), {TaggedForm::columns, 0}, bad)[0].words[0] == "a b");

  auto message = [&](const std::string& content, int column = 0) {
    BadRows refuse;
    return complaint(
        [&] {
          read(folder.file("c", content), {TaggedForm::columns, column}, refuse);
        },
        folder.path.string() + "/");
  };
  CHECK(message("word\n") ==
        "[tagged text] c:1: 1 fields came; needed a word and a tag, TABs or single blanks between fields");
  CHECK(message("a X\nb Y Z\n") ==
        "[tagged text] c:2: 3 fields came; needed 2 as in the sentence's first line");
  CHECK(message("a X\n", 3) == "[tagged text] c:1: 2 fields came; needed column 3 for the tag");
  CHECK(message("a  X\n", 2) ==
        "[tagged text] c:1: an empty field 2 came; needed a word and a tag in each line");
}

TEST_CASE("tagged text: a bad line makes its sentence bad") {
  const TemporaryFolder folder;
  BadRows bad(BadRows::Policy::skip);
  const auto sentences =
      read(folder.file("a", "a X\nb Y Z\nc W\n\nd V\n\n\xFF U\n"), {TaggedForm::columns, 0}, bad);
  REQUIRE(sentences.size() == 1);
  CHECK(sentences[0].words[0] == "d");
  CHECK(bad.skipped() == 2);
}

}  // namespace unroll::models
