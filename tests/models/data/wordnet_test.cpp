#include "models/data/wordnet.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>

#include "autograd/system/error.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

// A folder with a data.noun of these lines.
struct WordNet : TemporaryFolder {
  explicit WordNet(const std::string& lines) { file("data.noun", lines); }
};

std::string message(const std::string& lines) {
  const WordNet folder(lines);
  try {
    read_noun_definitions(folder.path);
  } catch (const Error& e) {
    const std::string what = e.what();
    return what.substr(what.find("data.noun:"));
  }
  return "accepted";
}

}  // namespace

TEST_CASE("wordnet: offset, class, noun and definition of each line") {
  const WordNet folder(
      "  1 This software and database\n"
      "00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | that which exists  \n"
      "00002451 28 n 02 long_time 0 age 0 000 | a time; \"it took; long\"  \n"
      "00002450 05 n 01 a 0 000 | an animal;it is one");
  const auto all = read_noun_definitions(folder.path);
  REQUIRE(all.size() == 3);
  CHECK(all[0].offset == 1740);
  CHECK(all[0].noun == "entity");
  CHECK(all[0].text == "that which exists");
  CHECK(std::string(noun_class_name(all[0].noun_class)) == "noun.Tops");
  CHECK(all[1].noun == "long_time");
  CHECK(all[1].text == "a time");
  CHECK(std::string(noun_class_name(all[1].noun_class)) == "noun.time");
  CHECK(all[2].text == "an animal;it is one");
  const DefinitionSplit split = split_definitions(all);
  CHECK(split.training.empty());
  REQUIRE(split.validation.size() == 1);
  CHECK(split.validation[0].offset == 2451);
  CHECK(split.test.size() == 2);
}

TEST_CASE("wordnet: a malformed line is named with what came") {
  CHECK(message("  licence\n00001740 03 n 01 entity 0 000 that\n") ==
        "data.noun:2: '00001740 03 n 01 entity 0 000 that' came; needed a gloss after \" | \"");
  CHECK(message("0000174x 03 n 01 entity 0 000 | that\n") ==
        "data.noun:1: '0000174x' came; needed a synset offset, 8 digits");
  CHECK(message("00001740 29 n 01 entity 0 000 | that\n") ==
        "data.noun:1: '29' came; needed a lexicographer file number from 03 to 28");
  CHECK(message("00001740 03 v 01 entity 0 000 | that\n") ==
        "data.noun:1: 'v' came; needed the synset type n, a noun");
  CHECK(message("00001740 03 n 01 entity 0 000 | ; x\n") == "data.noun:1: '; x' came; needed a definition");
  CHECK(message("\n") == "data.noun:1: '' came; needed a gloss after \" | \"");
  CHECK_THROWS_AS(read_noun_definitions(WordNet("").path), Error);
}

TEST_CASE("wordnet: a missing folder names the Debian package") {
  CHECK_THROWS_WITH(read_noun_definitions("/nowhere"),
                    "[wordnet] /nowhere/data.noun does not exist; needed WordNet's files, which the Debian "
                    "package wordnet-base brings to /usr/share/wordnet");
}

TEST_CASE("wordnet: the installed files hold 82,115 nouns in 26 classes") {
  const auto all = read_noun_definitions();
  CHECK(all.size() == 82115);
  std::map<int, int> classes;
  for (const Definition& d : all) ++classes[d.noun_class];
  CHECK(classes.size() == kNounClasses);
  CHECK(classes[2] == 7509);  // noun.animal
  const DefinitionSplit split = split_definitions(all);
  CHECK(split.training.size() + split.validation.size() + split.test.size() == 82115);
  for (const Definition& d : split.test) CHECK(d.offset % 10 == 0);
}

}  // namespace unroll::models
