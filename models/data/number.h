// Numbers in text, independent of the locale.
#pragma once
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace unroll::models {

/// The number that is all of `text`, blanks around it and a sign '+' aside; it must be finite as a T, which
/// it is rounded to.
template <class T>
std::optional<T> finite_number(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  text = text.substr(begin, text.find_last_not_of(' ') - begin + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto rounded = static_cast<T>(value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(rounded)) return {};
  return rounded;
}

/// The whole number of at least 0 that is all of `text`.
inline std::optional<long> whole_number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

}  // namespace unroll::models
