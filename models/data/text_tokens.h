// What the tokens of a short text are, for a classifier.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "models/data/corpus.h"

namespace unroll::models {

struct TextForm {
  Level level = Level::word;
  bool punctuation = false;  // words are lower-cased, and punctuation marks are words: split_words()
  int ngrams = 0;            // not tokens but all n-grams of 1 to so many; 0 for tokens

  template <class F>
  void settings(F&& each) {
    each("level", level, kLevels, kLevelMeaning);
    each("punctuation", punctuation, kYesOrNo, "words are lower-cased, and punctuation marks are words");
  }
  template <class F>
  void conditions(F&& effect) const {
    effect({"punctuation"}, level == Level::word, "--level char", "--level word");
  }
};
inline constexpr Range<Index> kNgrams{1, 16};

/// In order; n-grams of words have a blank between the words. The text's begin and end are marked with '\2'
/// and '\3' for n-grams of characters, so that what a name ends in is told from what it contains.
std::vector<std::string> tokens_of(std::string_view text, const TextForm& form);

}  // namespace unroll::models
