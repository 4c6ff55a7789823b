#include "models/tasks/tag/spans.h"

#include <doctest/doctest.h>

namespace unroll::models {

namespace {
using Tags = std::vector<std::string_view>;
}

TEST_CASE("spans begin and end as the CoNLL shared tasks say") {
  auto is = [](const Tags& tags, const std::vector<Span>& wanted) { return spans_of(tags) == wanted; };
  CHECK(is({}, {}));
  CHECK(is({"O", "B-X", "I-X", "O", "B-Y"}, {{1, 3, "X"}, {4, 5, "Y"}}));
  CHECK(is({"B-X", "B-X"}, {{0, 1, "X"}, {1, 2, "X"}}));
  CHECK(is({"I-X", "I-X", "I-Y"}, {{0, 2, "X"}, {2, 3, "Y"}}));  // begin without B
  CHECK(is({"B-X", "I-Y", "I-Y"}, {{0, 1, "X"}, {1, 3, "Y"}}));  // another type
  CHECK(is({"B-X", "O", "I-X"}, {{0, 1, "X"}, {2, 3, "X"}}));    // after a gap
  CHECK(is({"B-A-B", "I-A-B"}, {{0, 2, "A-B"}}));
}

TEST_CASE("span F1: words and type must be right") {
  SpanCounts counts;
  counts.add(Tags{"B-X", "I-X", "O", "B-Y", "O"}, Tags{"B-X", "I-X", "O", "B-X", "B-Y"});
  CHECK(counts.came == 2);
  CHECK(counts.predicted == 3);
  CHECK(counts.right == 1);
  CHECK(counts.precision() == doctest::Approx(1.0 / 3));
  CHECK(counts.recall() == doctest::Approx(0.5));
  CHECK(counts.f1() == doctest::Approx(0.4));
  counts.add(Tags{"B-X", "I-X"}, Tags{"B-X", "O"});  // too short is wrong
  CHECK(counts.right == 1);
  CHECK(SpanCounts().f1() == 1);
}

TEST_CASE("which tags are BIO") {
  using Strings = std::vector<std::string>;
  CHECK(are_bio(Strings{"O", "B-X", "I-X"}));
  CHECK_FALSE(are_bio(Strings{"O"}));
  CHECK_FALSE(are_bio(Strings{"B-X", "E-X"}));
  CHECK_FALSE(are_bio(Strings{"NOUN", "VERB"}));
}

}  // namespace unroll::models
