#include "models/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "autograd/error.h"

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

// Calls f with each token; how many lines were skipped.
template <class F>
Index read_file_tokens(const std::string& path, const Tokenisation& tokenisation, Bad bad, F f) {
  LineReader reader(path, bad);
  for (std::string_view line; reader.next(line);) each_token(line, reader.ended(), tokenisation, f);
  return reader.skipped();
}

void check_split(const std::vector<double>& split) {
  const double sum = std::accumulate(split.begin(), split.end(), 0.0);
  const bool positive = std::ranges::all_of(split, [](double s) { return s > 0; });
  if (split.size() < 2 || split.size() > 3 || !positive || sum > 1 + 1e-9)
    fail("split", fmt::format("{} shares that add up to {} came; needed two or three, for training, "
                              "validation and test, above 0 and of at most 1 in all",
                              split.size(), sum));
}

}  // namespace

void read_tokens(const std::string& path, const Tokenisation& tokenisation, const Vocabulary& vocabulary,
                 Bad bad, TokenFile& into) {
  into.skipped_lines += read_file_tokens(
      path, tokenisation, bad, [&](std::string_view token) { into.store.add(vocabulary.id(token)); });
}

Corpus::Corpus(const CorpusFiles& files, const Tokenisation& tokenisation, const Vocabulary::Limits& limits,
               Bad bad) {
  // One pass over the text: every token gets a number when it is first met; what the vocabulary makes of
  // these numbers is known when all have been counted.
  TokenMap<int> numbers;
  std::vector<std::string> tokens;
  auto read = [&](const std::string& path) {
    const Index before = store_.size();
    skipped_ += read_file_tokens(path, tokenisation, bad, [&](std::string_view token) {
      auto it = numbers.find(token);
      if (it == numbers.end()) {
        it = numbers.emplace(token, static_cast<int>(tokens.size())).first;
        tokens.emplace_back(token);
      }
      store_.add(it->second);
    });
    return store_.size() - before;
  };

  Index counts[3] = {};
  if (files.text.empty()) {
    counts[0] = read(files.training);
    if (!files.validation.empty()) counts[1] = read(files.validation);
    if (!files.test.empty()) counts[2] = read(files.test);
  } else {
    check_split(files.split);
    const auto all = static_cast<double>(read(files.text));
    for (std::size_t i = 1; i < files.split.size(); ++i) counts[i] = static_cast<Index>(files.split[i] * all);
    counts[0] =
        std::min(store_.size() - counts[1] - counts[2], static_cast<Index>(files.split[0] * all + 0.5));
  }
  const std::span<int> ids = store_.ids();
  const std::string* paths[3] = {&files.training, &files.validation, &files.test};
  std::size_t at = 0;
  for (int i = 0; i < 3; ++i) {
    const bool wanted = files.text.empty() ? !paths[i]->empty() : i < static_cast<int>(files.split.size());
    if (wanted && counts[i] == 0)
      fail("corpus",
           fmt::format("{} has no token for the {}; needed some", files.text.empty() ? *paths[i] : files.text,
                       i == 0   ? "training"
                       : i == 1 ? "validation"
                                : "test"));
    parts_[i] = ids.subspan(at, static_cast<std::size_t>(counts[i]));
    at += parts_[i].size();
  }

  std::vector<Index> times(tokens.size());
  for (const int id : parts_[0]) ++times[static_cast<std::size_t>(id)];
  TokenCounts known;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (times[i] > 0) known.add(tokens[i], times[i]);
  vocabulary_ = Vocabulary(known, unknown_token(tokenisation), limits);
  std::vector<int> final_ids;
  for (const std::string& token : tokens) final_ids.push_back(vocabulary_.id(token));
  for (int& id : ids) id = final_ids[static_cast<std::size_t>(id)];
}

}  // namespace unroll::models
