#include "models/data/labelled_text.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

struct Read {
  std::vector<std::string> rows;  // "a|b>text"
  Index skipped = 0;
  std::string first;
};

Read read(const std::string& path, const LabelledFormat& format,
          BadRows::Policy policy = BadRows::Policy::refuse) {
  Read result;
  BadRows bad(policy);
  read_labelled_text(path, format, bad, [&](const LabelledText& row) {
    std::string labels;
    for (const std::string& label : row.labels) labels += (labels.empty() ? "" : "|") + label;
    result.rows.push_back(labels + ">" + row.text);
  });
  result.skipped = bad.skipped();
  result.first = bad.first();
  return result;
}

}  // namespace

TEST_CASE("labelled text: the three forms") {
  const TemporaryFolder folder;
  const std::string tsv = folder.file("a.tsv", "good\tnice one\nso so\tan\tother\r\n");
  CHECK(read(tsv, {LabelledForm::tsv, false, {}}).rows ==
        std::vector<std::string>{"good>nice one", "so so>an\tother"});
  CHECK(read(tsv, {}).rows == read(tsv, {LabelledForm::tsv, false, {}}).rows);
  const std::string spaced = folder.file("a.txt", "1 nice one\n0 bad");
  CHECK(read(spaced, {LabelledForm::spaced, false, {}}).rows ==
        std::vector<std::string>{"1>nice one", "0>bad"});
  CHECK(read(spaced, {}).rows == read(spaced, {LabelledForm::spaced, false, {}}).rows);

  std::filesystem::create_directories(folder.path / "names");
  folder.file("names/Dutch.txt", "Aalst\nBos\n");
  folder.file("names/Czech.txt", "Abl\n");
  folder.file("names/SOURCE.txt", "somewhere\n");
  const std::string names = folder.file("names");
  CHECK(read(names, {LabelledForm::folder, false, {"SOURCE.txt"}}).rows ==
        std::vector<std::string>{"Czech>Abl", "Dutch>Aalst", "Dutch>Bos"});
  CHECK(read(names, {}).rows.size() == 4);
}

TEST_CASE("labelled text: several labels, or a '|' in one") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a", "a|b\tone\nb\ttwo\n\tthree\n");
  CHECK(read(path, {LabelledForm::tsv, true, {}}).rows ==
        std::vector<std::string>{"a|b>one", "b>two", ">three"});
  CHECK(complaint(
            [&] {
              read(path, {LabelledForm::tsv, false, {}});
            },
            folder.path.string()) ==
        "[labelled text] /a:3: an empty label came; needed a label before the text");
}

TEST_CASE("labelled text: bad rows are named, or skipped and counted") {
  const TemporaryFolder folder;
  const std::string here = folder.path.string() + "/";
  auto tsv = [&](const std::string& content, bool many = false) {
    return complaint([&] { read(folder.file("a", content), {LabelledForm::tsv, many, {}}); }, here);
  };
  CHECK(tsv("") == "[labelled text] a: an empty file came; needed a label and a text on each line");
  CHECK(tsv("a\tb\nno tab\n") == "[labelled text] a:2: 'no tab' came; needed a label, a TAB and a text");
  CHECK(tsv("a\tb\n\n") == "[labelled text] a:2: '' came; needed a label, a TAB and a text");
  CHECK(tsv("\tb\n") == "[labelled text] a:1: an empty label came; needed a label before the text");
  CHECK(tsv("a\t \n") == "[labelled text] a:1: an empty text came; needed a text after the label");
  CHECK(tsv("a\t \f\v\n") == "[labelled text] a:1: an empty text came; needed a text after the label");
  CHECK(tsv("1\x1B[2J2\n") == "[labelled text] a:1: '1?[2J2' came; needed a label, a TAB and a text");
  CHECK(tsv("a|\tb\n", true) ==
        "[labelled text] a:1: an empty label came; needed a label on both sides of each '|'");
  CHECK(tsv("|a\tb\n", true) ==
        "[labelled text] a:1: an empty label came; needed a label on both sides of each '|'");
  CHECK(tsv("a|b|a\tb\n", true) == "[labelled text] a:1: the label 'a' twice came; needed each label once");
  CHECK(tsv("a\tb\na\t\xC3(\n").starts_with("[utf-8] a:2: byte 0x28"));
  CHECK(complaint(
            [&] {
              read(folder.file("a", "word\n"), {LabelledForm::spaced, false, {}});
            },
            here) == "[labelled text] a:1: 'word' came; needed a label, a blank and a text");
  CHECK(complaint(
            [&] {
              read(folder.file("a", "neg\tthese words\n"), {LabelledForm::spaced, false, {}});
            },
            here) ==
        "[labelled text] a:1: a TAB in the label 'neg?these' came; needed none there, or --format tsv");

  const Read skipped = read(folder.file("a", "a\tb\nno tab\n\xFF\tx\nc\td\n"), {LabelledForm::tsv, false, {}},
                            BadRows::Policy::skip);
  CHECK(skipped.rows == std::vector<std::string>{"a>b", "c>d"});
  CHECK(skipped.skipped == 2);
  CHECK(skipped.first.find("a:2: 'no tab' came") != std::string::npos);
}

TEST_CASE("labelled text: bad folders") {
  const TemporaryFolder folder;
  const std::string here = folder.path.string();
  auto names = [&](std::vector<std::string> except) {
    return complaint([&] { read(here, {LabelledForm::folder, false, except}); }, here);
  };
  CHECK(names({}) ==
        "[labelled text] : a folder with 0 files of texts came; needed one file for each of at "
        "least two labels");
  folder.file("a.txt", "x\n");
  folder.file("b.txt", "");
  CHECK(names({"c.txt"}) == "[labelled text] : no file 'c.txt' to leave out; needed a name in this folder");
  folder.file("\xFF.txt", "x\n");
  CHECK(names({}).find("of a file is not UTF-8: byte 0xFF came at column 1; needed") != std::string::npos);
  std::filesystem::remove(folder.file("\xFF.txt"));
  CHECK(names({"b.txt"}).find("a folder with 1 files") != std::string::npos);
  folder.file("README.md", "x\n");
  CHECK(names({}) ==
        "[labelled text] : files 'README.md' and 'a.txt' came; needed names that end alike, each a label "
        "(--except names files that are none)");
  std::filesystem::remove(folder.file("README.md"));
  CHECK(names({}) == "[labelled text] /b.txt: an empty file came; needed a text on each line");
  CHECK(complaint([&] { read(folder.file("none"), {}); }, here) ==
        "[labelled text] /none: No such file or directory; needed a file that can be read");
}

}  // namespace unroll::models
