// Tokens that are taken for unknown in training, so that a net learns what to make of those that are.
#pragma once
#include <span>

#include "models/data/vocabulary.h"
#include "models/settings/allowed.h"
#include "ops/random.h"

namespace unroll::models {

struct WordDropout {
  double word_dropout = 0;  // share of tokens

  template <class F>
  void settings(F&& each) {
    each("word-dropout", word_dropout, Range<double>{0, 0.95},
         "share of tokens that are taken for unknown in training");
  }
  void operator()(std::span<int> ids, ops::Generator& noise) const {
    for (int& id : ids)
      if (word_dropout > 0 && noise.uniform() < word_dropout) id = Vocabulary::kUnknown;
  }
};

}  // namespace unroll::models
