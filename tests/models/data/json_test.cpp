#include "models/data/json.h"

#include <doctest/doctest.h>

#include <string>

namespace unroll::models {

namespace {
std::string refusal(const std::string& text) {
  try {
    parse_json(text);
  } catch (const JsonError& e) {
    return e.what();
  }
  return {};
}
std::string nested(const std::string& open, const std::string& close, int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}
}  // namespace

TEST_CASE("json: what is well formed is read") {
  CHECK(parse_json(R"({"a": [1, {"a": 2}], "b": {"a": 3}})")["a"][1]["a"] == 2);
  CHECK(refusal(nested("[", "]", kDeepestJson)).empty());
}

TEST_CASE("json: what is too deep is refused before it takes the stack") {
  for (const int depth : {kDeepestJson + 1, 1000, 1000000}) {
    CHECK(refusal(nested("[", "]", depth)).starts_with("more than 64 lists and objects"));
    CHECK(refusal(nested("[", "", depth)).starts_with("more than 64 lists and objects"));
  }
  CHECK(refusal(nested("{\"a\":", "}", 100000)).starts_with("more than 64 lists and objects"));
  CHECK(refusal(nested("{\"a\":[", "]}", 100000)).starts_with("more than 64 lists and objects"));
}

TEST_CASE("json: a key that comes twice, and what is no JSON, are refused with the place") {
  CHECK(refusal(R"({"a": 1, "b": {"c": 1, "c": 2}})") == "the key 'c' came twice in one object");
  CHECK(refusal("{\"a\": 1, \"\\u0061\": 2}") == "the key 'a' came twice in one object");
  CHECK(refusal("[1, 2").starts_with("parse error at line 1, column 6"));
  CHECK(refusal("").find("unexpected end of input") != std::string::npos);
  CHECK(refusal("{} {}").starts_with("parse error"));
}

}  // namespace unroll::models
