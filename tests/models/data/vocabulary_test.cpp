#include "models/data/vocabulary.h"

#include <doctest/doctest.h>

#include "autograd/system/error.h"

namespace unroll::models {

using autograd::Index;

namespace {
TokenCounts counted(std::initializer_list<const char*> tokens) {
  TokenCounts counts;
  for (const char* token : tokens) counts.add(token);
  return counts;
}
}  // namespace

TEST_CASE("vocabulary: by count, then by bytes, whatever the order of reading") {
  const Vocabulary one(counted({"b", "a", "c", "c", "a", "b", "d", "c"}), "?", {});
  const Vocabulary two(counted({"d", "c", "c", "c", "b", "b", "a", "a"}), "?", {});
  CHECK(one.tokens() == std::vector<std::string>{"?", "c", "a", "b", "d"});
  CHECK(one.tokens() == two.tokens());
  for (int i = 0; i < one.size(); ++i) CHECK(one.id(one.token(i)) == i);
  CHECK(one.id("zebra") == Vocabulary::kUnknown);
  CHECK_FALSE(one.find("zebra").has_value());
}

TEST_CASE("vocabulary: what is left out counts as unknown") {
  const TokenCounts counts = counted({"b", "a", "c", "c", "a", "b", "d", "c", "?"});
  const Vocabulary frequent(counts, "?", {.min_count = 2});
  CHECK(frequent.tokens() == std::vector<std::string>{"?", "c", "a", "b"});
  const Vocabulary small(counts, "?", {.max_size = 3});
  CHECK(small.tokens() == std::vector<std::string>{"?", "c", "a"});
  CHECK(small.id("b") == 0);
}

TEST_CASE("vocabulary: a saved list gives the same ids; bad ones are refused") {
  const Vocabulary v(std::vector<std::string>{"?", "x", "y"});
  CHECK(v.id("y") == 2);
  CHECK_THROWS_WITH(Vocabulary(std::vector<std::string>{"?", "x", "x"}),
                    "[vocabulary] the token 'x' came twice; needed each once");
  CHECK_THROWS_AS(Vocabulary(std::vector<std::string>{}), Error);
  CHECK_THROWS_AS(v.token(-1), Error);
  CHECK_THROWS_WITH(v.token(3), "[vocabulary] token 3 came; needed an id below 3");
  CHECK_THROWS_AS(Vocabulary(TokenCounts{}, "?", {.max_size = 0}), Error);
}

TEST_CASE("tokens numbered as they come, and what they are in the vocabulary of those that were counted") {
  NumberedTokens tokens;
  const std::vector<std::string> learned{"b", "a", "b"}, other{"c", "a"};
  const std::vector<int> training = tokens.numbers(learned), test = tokens.numbers(other);
  CHECK(training == std::vector<int>{0, 1, 0});
  CHECK(test == std::vector<int>{2, 1});
  tokens.count(training);
  CHECK(tokens.times() == std::vector<Index>{2, 1, 0});
  const Vocabulary vocabulary = tokens.vocabulary("?", {});
  CHECK(vocabulary.tokens() == std::vector<std::string>{"?", "b", "a"});
  CHECK(tokens.ids_in(vocabulary) == std::vector<int>{1, 2, Vocabulary::kUnknown});
}

}  // namespace unroll::models
