// Running text as token ids, for language models.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/line_reader.h"
#include "models/token_store.h"
#include "models/vocabulary.h"

namespace unroll::models {

enum class Level { character, word };

/// What a token is.
struct Tokenisation {
  Level level = Level::character;  // code points, a new line among them; or what stands between white space
  bool eos = false;                // words: the end of a line is a token too (Penn Treebank's convention)
};

/// Names of tokens that are no text. "<unk>" stands in prepared texts, where it means the same.
inline constexpr const char* kUnknownCharacter = "<unknown>";
inline constexpr const char* kUnknownWord = "<unk>";
inline constexpr const char* kEndOfLine = "<eos>";
const char* unknown_token(const Tokenisation& tokenisation);

/// Calls f(std::string_view) for each token of a line.
template <class F>
void each_token(std::string_view line, bool ended, const Tokenisation& tokenisation, F&& f);

/// Ids of the tokens of well-formed UTF-8.
std::vector<int> token_ids(std::string_view text, const Tokenisation& tokenisation,
                           const Vocabulary& vocabulary);
/// The text that these tokens stand for: words with a space between them, lines where lines ended.
std::string text_of(std::span<const int> ids, const Tokenisation& tokenisation, const Vocabulary& vocabulary);

/// The ids of one file.
struct TokenFile {
  TokenStore store;
  Index skipped_lines = 0;
  explicit TokenFile(Index in_memory = Index{1} << 26) : store(in_memory) {}
};
void read_tokens(const std::string& path, const Tokenisation& tokenisation, const Vocabulary& vocabulary,
                 Bad bad, TokenFile& into);

struct CorpusFiles {
  std::string training = {}, validation = {}, test = {};  // one file each; the last two may be empty
  std::string text = {};                                  // or one file for all,
  std::vector<double> split = {0.9, 0.1};  // cut by these shares into training, validation, test
};

/// Text to train on, to validate and to test, and the vocabulary of the first of them.
class Corpus {
 public:
  /// Throws Error for files that cannot be read or are not UTF-8, with file and line, and for a part without
  /// a token.
  Corpus(const CorpusFiles& files, const Tokenisation& tokenisation, const Vocabulary::Limits& limits,
         Bad bad = Bad::refuse);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::span<const int> training() const { return parts_[0]; }
  std::span<const int> validation() const { return parts_[1]; }
  std::span<const int> test() const { return parts_[2]; }
  Index skipped_lines() const { return skipped_; }

 private:
  TokenStore store_;
  std::span<const int> parts_[3];
  Vocabulary vocabulary_;
  Index skipped_ = 0;
};

}  // namespace unroll::models

#include "models/text.h"

namespace unroll::models {

template <class F>
void each_token(std::string_view line, bool ended, const Tokenisation& tokenisation, F&& f) {
  if (tokenisation.level == Level::character) {
    each_code_point(line, f);
    if (ended) f(std::string_view("\n"));
    return;
  }
  constexpr std::string_view kSpace = " \t\r\v\f";
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    f(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  if (ended && tokenisation.eos) f(std::string_view(kEndOfLine));
}

}  // namespace unroll::models
