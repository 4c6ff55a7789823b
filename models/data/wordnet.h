// Definitions of English nouns: WordNet 3.0 of Princeton University, as Debian's wordnet-base installs it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

/// What the noun means, by the lexicographer file its synset stands in: 26 classes, 0 "noun.Tops" to
/// 25 "noun.time" (lexnames(5WN), file numbers 3 to 28).
inline constexpr int kNounClasses = 26;
const char* noun_class_name(int noun_class);

/// One synset.
struct Definition {
  Index offset = 0;    // the synset's number, its byte offset in data.noun
  int noun_class = 0;  // below kNounClasses
  std::string noun;    // the first of its words, '_' between the parts of a compound
  std::string text;    // the gloss before the first "; ", without examples
};

/// The 82,115 noun synsets of `folder`/data.noun (format: wndb(5WN)), in the order of the file. Throws Error
/// naming the Debian package if the folder is not there, and "data.noun:LINE: what came" for a malformed
/// line.
std::vector<Definition> read_noun_definitions(const std::filesystem::path& folder = "/usr/share/wordnet");

/// By the last digit of the offset: 0 test, 1 validation, all others training.
struct DefinitionSplit {
  std::vector<Definition> training, validation, test;
};
DefinitionSplit split_definitions(std::vector<Definition> definitions);

}  // namespace unroll::models
