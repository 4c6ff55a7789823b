// Tokens and their numbers.
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

/// What stands for all tokens that a vocabulary does not have.
inline constexpr const char* kUnknownToken = "<unk>";

/// Counts by token, looked up without making a string.
struct TokenHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view token) const { return std::hash<std::string_view>{}(token); }
};
template <class V>
using TokenMap = std::unordered_map<std::string, V, TokenHash, std::equal_to<>>;

class TokenCounts {
 public:
  void add(std::string_view token, Index times = 1);
  const TokenMap<Index>& counts() const { return counts_; }

 private:
  TokenMap<Index> counts_;
};

/// Token <-> id, ids from 0. Equal counts give equal ids, whatever the order of reading.
class Vocabulary {
 public:
  struct Limits {
    Index min_count = 1;                                 // rarer tokens are unknown
    Index max_size = std::numeric_limits<Index>::max();  // with the unknown token; the rarest go first
  };

  Vocabulary() = default;
  /// The unknown token with id 0, then the others by count, the most frequent first, ties in the order of
  /// their bytes.
  Vocabulary(const TokenCounts& counts, std::string unknown, Limits limits);
  /// From a saved list, id by id, whose first is the unknown token.
  explicit Vocabulary(std::vector<std::string> tokens);

  int size() const { return static_cast<int>(tokens_.size()); }
  /// The unknown token's id for one that is not here.
  int id(std::string_view token) const;
  std::optional<int> find(std::string_view token) const;
  /// Throws Error if there is no such id.
  const std::string& token(int id) const;
  const std::vector<std::string>& tokens() const { return tokens_; }

  static constexpr int kUnknown = 0;

 private:
  void append(std::string token);

  std::vector<std::string> tokens_;
  TokenMap<int> ids_;
};

/// Tokens numbered as they come: a text is read once, and memory holds numbers; what they are in a vocabulary
/// is known when those of the training part have been counted.
class NumberedTokens {
 public:
  /// A new token has the next number, from 0.
  int number(std::string_view token);
  std::vector<int> numbers(std::span<const std::string> tokens);
  /// Counts these, once more for each time that they come.
  void count(std::span<const int> numbers);

  /// By number: the tokens, and how often each was counted.
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Index>& times() const { return times_; }
  /// Of what was counted.
  Vocabulary vocabulary(std::string unknown, Vocabulary::Limits limits) const;
  /// The id of each number.
  std::vector<int> ids_in(const Vocabulary& vocabulary) const;

 private:
  TokenMap<int> numbers_;
  std::vector<std::string> tokens_;
  std::vector<Index> times_;
};

}  // namespace unroll::models

namespace unroll {
using models::Vocabulary;
}
