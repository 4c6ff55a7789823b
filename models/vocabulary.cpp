#include "models/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/error.h"

namespace unroll::models {

using autograd::fail;

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
  Index rest = 0;
  for (const auto& [token, count] : counts.counts())
    if (count >= limits.min_count && token != unknown)
      kept.emplace_back(token, count);
    else
      rest += count;
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  const auto size = std::min(kept.size(), static_cast<std::size_t>(limits.max_size - 1));
  for (std::size_t i = size; i < kept.size(); ++i) rest += kept[i].second;
  append(std::move(unknown), rest);
  for (std::size_t i = 0; i < size; ++i) append(std::string(kept[i].first), kept[i].second);
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) {
  if (tokens.empty()) fail("vocabulary", "an empty list came; needed at least the unknown token");
  for (std::string& token : tokens) append(std::move(token), 0);
}

void Vocabulary::append(std::string token, Index count) {
  if (!ids_.emplace(token, size()).second)
    fail("vocabulary", fmt::format("the token '{}' came twice; needed each once", token));
  tokens_.push_back(std::move(token));
  counts_.push_back(count);
}

std::optional<int> Vocabulary::find(std::string_view token) const {
  const auto it = ids_.find(token);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

int Vocabulary::id(std::string_view token) const { return find(token).value_or(kUnknown); }

void Vocabulary::expect(int id) const {
  if (id < 0 || id >= size())
    fail("vocabulary", fmt::format("token {} came; needed an id below {}", id, size()));
}

const std::string& Vocabulary::token(int id) const {
  expect(id);
  return tokens_[static_cast<std::size_t>(id)];
}

Index Vocabulary::count(int id) const {
  expect(id);
  return counts_[static_cast<std::size_t>(id)];
}

}  // namespace unroll::models
