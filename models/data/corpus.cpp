#include "models/data/corpus.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/system/error.h"

namespace unroll::models {

using autograd::fail;

const char* unknown_token(const Tokenisation& tokenisation) {
  return tokenisation.level == Level::character ? kUnknownCharacter : kUnknownWord;
}

std::vector<int> token_ids(std::string_view text, const Tokenisation& tokenisation,
                           const Vocabulary& vocabulary) {
  std::vector<int> ids;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const bool ended = end != std::string_view::npos;
    each_token(text.substr(0, end), ended, tokenisation,
               [&](std::string_view token) { ids.push_back(vocabulary.id(token)); });
    text.remove_prefix(ended ? end + 1 : text.size());
  }
  return ids;
}

std::string text_of(std::span<const int> ids, const Tokenisation& tokenisation,
                    const Vocabulary& vocabulary) {
  std::string text;
  for (const int id : ids) {
    const std::string& token = vocabulary.token(id);
    if (tokenisation.level == Level::character)
      text += token;
    else if (tokenisation.eos && token == kEndOfLine)
      text += '\n';
    else
      text += (text.empty() || text.back() == '\n' ? "" : " ") + token;
  }
  return text;
}

namespace {

// Calls f with each token.
template <class F>
void each_file_token(const std::string& path, const Tokenisation& tokenisation, BadRows& bad, F f) {
  Lines lines("corpus", path);
  while (lines.next()) {
    std::string_view text;
    if (bad.guard([&] { text = lines.text(); })) each_token(text, lines.ended(), tokenisation, f);
  }
}

}  // namespace

void read_tokens(const std::string& path, const Tokenisation& tokenisation, const Vocabulary& vocabulary,
                 BadRows& bad, TokenStore& into) {
  each_file_token(path, tokenisation, bad, [&](std::string_view token) { into.add(vocabulary.id(token)); });
}

Corpus::Corpus(const DataFiles& files, const Tokenisation& tokenisation, const Vocabulary::Limits& limits,
               BadRows& bad) {
  NumberedTokens numbered;
  auto read = [&](const std::string& path) {
    const Index before = store_.size();
    each_file_token(path, tokenisation, bad,
                    [&](std::string_view token) { store_.add(numbered.number(token)); });
    return store_.size() - before;
  };

  check(files, "corpus");
  std::array<Index, 3> counts{};
  for (std::size_t part = 0; part < 3 && !files.is_split(); ++part)
    if (const std::string& path = files.of(part); !path.empty() && (counts[part] = read(path)) == 0)
      fail("corpus", fmt::format("{} has no token for {}; needed some", path, kPartNames[part]));
  if (files.is_split()) counts = split_counts(files, read(files.all), "tokens", "corpus");
  const std::span<int> ids = store_.ids();
  std::size_t at = 0;
  for (std::size_t part = 0; part < 3; at += parts_[part++].size())
    parts_[part] = ids.subspan(at, static_cast<std::size_t>(counts[part]));

  numbered.count(parts_[0]);
  vocabulary_ = numbered.vocabulary(unknown_token(tokenisation), limits);
  const std::vector<int> final_ids = numbered.ids_in(vocabulary_);
  for (int& id : ids) id = final_ids[static_cast<std::size_t>(id)];
}

}  // namespace unroll::models
