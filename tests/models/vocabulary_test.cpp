#include "models/vocabulary.h"

#include <doctest/doctest.h>

#include "autograd/error.h"

namespace unroll::models {

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
  CHECK(one.count(1) == 3);
  for (int i = 0; i < one.size(); ++i) CHECK(one.id(one.token(i)) == i);
  CHECK(one.id("zebra") == Vocabulary::kUnknown);
  CHECK_FALSE(one.find("zebra").has_value());
}

TEST_CASE("vocabulary: what is left out counts as unknown") {
  const TokenCounts counts = counted({"b", "a", "c", "c", "a", "b", "d", "c", "?"});
  const Vocabulary frequent(counts, "?", {.min_count = 2});
  CHECK(frequent.tokens() == std::vector<std::string>{"?", "c", "a", "b"});
  CHECK(frequent.count(0) == 2);
  const Vocabulary small(counts, "?", {.max_size = 3});
  CHECK(small.tokens() == std::vector<std::string>{"?", "c", "a"});
  CHECK(small.count(0) == 4);
  CHECK(small.id("b") == 0);
}

TEST_CASE("vocabulary: a saved list gives the same ids; bad ones are refused") {
  const Vocabulary v(std::vector<std::string>{"?", "x", "y"});
  CHECK(v.id("y") == 2);
  CHECK_THROWS_WITH(Vocabulary(std::vector<std::string>{"?", "x", "x"}),
                    "[vocabulary] the token 'x' came twice; needed each once");
  CHECK_THROWS_AS(Vocabulary(std::vector<std::string>{}), Error);
  CHECK_THROWS_WITH(v.token(3), "[vocabulary] token 3 came; needed an id below 3");
  CHECK_THROWS_AS(v.count(-1), Error);
  CHECK_THROWS_AS(Vocabulary(TokenCounts{}, "?", {.max_size = 0}), Error);
}

}  // namespace unroll::models
