#include "models/data/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/system/error.h"
#include "autograd/system/message.h"

namespace unroll::models {

using autograd::fail;
using autograd::in_quotes;

void TokenCounts::add(std::string_view token, Index times) {
  const auto it = counts_.find(token);
  if (it != counts_.end())
    it->second += times;
  else
    counts_.emplace(token, times);
}

Vocabulary::Vocabulary(const TokenCounts& counts, std::string unknown, Limits limits) {
  if (limits.max_size < 1)
    fail("vocabulary",
         fmt::format("a size of {} came; needed at least 1, the unknown token", limits.max_size));
  std::vector<std::pair<std::string_view, Index>> kept;
  for (const auto& [token, count] : counts.counts())
    if (count >= limits.min_count && token != unknown) kept.emplace_back(token, count);
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  const auto size = std::min(kept.size(), static_cast<std::size_t>(limits.max_size - 1));
  append(std::move(unknown));
  for (std::size_t i = 0; i < size; ++i) append(std::string(kept[i].first));
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) {
  if (tokens.empty()) fail("vocabulary", "an empty list came; needed at least the unknown token");
  for (std::string& token : tokens) append(std::move(token));
}

void Vocabulary::append(std::string token) {
  if (!ids_.emplace(token, size()).second)
    fail("vocabulary", fmt::format("the token {} came twice; needed each once", in_quotes(token)));
  tokens_.push_back(std::move(token));
}

std::optional<int> Vocabulary::find(std::string_view token) const {
  const auto it = ids_.find(token);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

int Vocabulary::id(std::string_view token) const { return find(token).value_or(kUnknown); }

const std::string& Vocabulary::token(int id) const {
  if (id < 0 || id >= size())
    fail("vocabulary", fmt::format("token {} came; needed an id below {}", id, size()));
  return tokens_[static_cast<std::size_t>(id)];
}

int NumberedTokens::number(std::string_view token) {
  const auto it = numbers_.find(token);
  if (it != numbers_.end()) return it->second;
  const auto number = static_cast<int>(tokens_.size());
  numbers_.emplace(token, number);
  tokens_.emplace_back(token);
  times_.push_back(0);
  return number;
}

std::vector<int> NumberedTokens::numbers(std::span<const std::string> tokens) {
  std::vector<int> result;
  for (const std::string& token : tokens) result.push_back(number(token));
  return result;
}

void NumberedTokens::count(std::span<const int> numbers) {
  for (const int number : numbers) ++times_[static_cast<std::size_t>(number)];
}

Vocabulary NumberedTokens::vocabulary(std::string unknown, Vocabulary::Limits limits) const {
  TokenCounts counts;
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    if (times_[i] > 0) counts.add(tokens_[i], times_[i]);
  return Vocabulary(counts, std::move(unknown), limits);
}

std::vector<int> NumberedTokens::ids_in(const Vocabulary& vocabulary) const {
  std::vector<int> ids;
  for (const std::string& token : tokens_) ids.push_back(vocabulary.id(token));
  return ids;
}

}  // namespace unroll::models
