// The one way in for JSON that somebody else wrote.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace unroll::models {

/// Lists and objects inside one another; what we read has 5.
inline constexpr int kDeepestJson = 64;

struct JsonError : nlohmann::json::exception {
  explicit JsonError(const std::string& what) : exception(0, what.c_str()) {}
};

/// Throws JsonError, with what came and the place, for text that is no JSON, that has a key twice in one
/// object (which one is meant?), or that goes deeper than kDeepestJson (to take such a tree apart needs a
/// stack as deep).
nlohmann::json parse_json(std::string_view text);

}  // namespace unroll::models
