#include "models/data/text_tokens.h"

#include "models/data/text.h"

namespace unroll::models {

namespace {

std::vector<std::string> single_tokens(std::string_view text, const TextForm& form) {
  if (form.level == Level::word && form.punctuation) return split_words(text);
  std::vector<std::string> tokens;
  each_token(text, false, {.level = form.level}, [&](std::string_view token) { tokens.emplace_back(token); });
  return tokens;
}

}  // namespace

std::vector<std::string> tokens_of(std::string_view text, const TextForm& form) {
  std::vector<std::string> tokens = single_tokens(text, form);
  if (form.ngrams == 0) return tokens;
  const bool words = form.level == Level::word;
  if (!words) {
    tokens.insert(tokens.begin(), "\2");
    tokens.push_back("\3");
  }
  std::vector<std::string> ngrams;
  for (std::size_t begin = 0; begin < tokens.size(); ++begin) {
    std::string ngram;
    for (std::size_t i = begin; i < tokens.size() && i < begin + static_cast<std::size_t>(form.ngrams); ++i) {
      if (words && i > begin) ngram += ' ';
      ngram += tokens[i];
      ngrams.push_back(ngram);
    }
  }
  return ngrams;
}

}  // namespace unroll::models
