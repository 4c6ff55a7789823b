// Running text as token ids, for language models.
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/line_reader.h"
#include "models/data/parts.h"
#include "models/data/text.h"
#include "models/data/token_store.h"
#include "models/data/vocabulary.h"
#include "models/settings/allowed.h"

namespace unroll::models {

enum class Level { character, word };
inline constexpr Word<Level> kLevels[] = {{"char", Level::character}, {"word", Level::word}};
inline constexpr const char* kLevelMeaning =
    "what a token is, a code point of UTF-8 or what stands between blanks";

/// What a token is.
struct Tokenisation {
  // Code points, the end of a line (LF or CR LF) being one; or what stands between white space.
  Level level = Level::character;
  bool eos = false;  // words only: Penn Treebank's convention

  template <class F>
  void settings(F&& each) {
    each("level", level, kLevels, kLevelMeaning);
    each("eos", eos, kYesOrNo, "the end of a line is a word too");
  }
};

/// Names of tokens that are no text. "<unk>" stands in prepared texts, where it means the same.
inline constexpr const char* kUnknownCharacter = "<unknown>";
inline constexpr const char* kUnknownWord = "<unk>";
inline constexpr const char* kEndOfLine = "<eos>";
const char* unknown_token(const Tokenisation& tokenisation);

/// Calls f(std::string_view) for each token of a line.
template <class F>
void each_token(std::string_view line, bool ended, const Tokenisation& tokenisation, F&& f) {
  if (tokenisation.level == Level::character) {
    each_code_point(line, f);
    if (ended) f(std::string_view("\n"));
    return;
  }
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    f(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  if (ended && tokenisation.eos) f(std::string_view(kEndOfLine));
}

/// Ids of the tokens of well-formed UTF-8.
std::vector<int> token_ids(std::string_view text, const Tokenisation& tokenisation,
                           const Vocabulary& vocabulary);
/// The text that these tokens stand for: words with a space between them, lines where lines ended.
std::string text_of(std::span<const int> ids, const Tokenisation& tokenisation, const Vocabulary& vocabulary);

/// Adds the ids of one file. Bad rows are lines that are not UTF-8.
void read_tokens(const std::string& path, const Tokenisation& tokenisation, const Vocabulary& vocabulary,
                 BadRows& bad, TokenStore& into);

/// Text to train on, to validate and to test, and the vocabulary of the first of them.
class Corpus {
 public:
  /// Throws Error for files that cannot be read or are not UTF-8, with file and line, and for a part without
  /// a token. Shares of one file are cut in its order.
  Corpus(const DataFiles& files, const Tokenisation& tokenisation, const Vocabulary::Limits& limits,
         BadRows& bad);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::span<const int> training() const { return parts_[0]; }
  std::span<const int> validation() const { return parts_[1]; }
  std::span<const int> test() const { return parts_[2]; }

 private:
  TokenStore store_;
  std::span<const int> parts_[3];
  Vocabulary vocabulary_;
};

}  // namespace unroll::models
