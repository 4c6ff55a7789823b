// What a program prints on every processor, written as it is printed but for the figures that rounding moves:
// "{40..60} % right" says between which two each of them lies. All else is the same, word for word.
#pragma once
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace unroll::tests {

/// Words with one blank between them: where a line ends says nothing.
inline std::string in_one_line(const std::string& text) {
  std::string line, word;
  for (std::istringstream words(text); words >> word;) line += (line.empty() ? "" : " ") + word;
  return line;
}

/// The blocks of lines that an empty one or, where `indented`, a line that is not, parts; each in one line.
/// What stands between ``` is none of them.
inline std::vector<std::string> blocks_of(std::istream& text, bool indented) {
  std::vector<std::string> blocks(1);
  bool fenced = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced || in_one_line(line).empty() || (indented && !line.starts_with("    ")))
      blocks.emplace_back();
    else
      blocks.back() += line + '\n';
  }
  for (std::string& block : blocks) block = in_one_line(block);
  std::erase(blocks, "");
  return blocks;
}

/// Whether the text, in one line, is what the pattern says from its first word to its last. Throws for a
/// pattern that could not fail: braces that do not hold a range.
inline bool matches(std::string_view pattern, const std::string& text) {
  const auto number_at = [](const char* from, char*& end) {  // neither "nan" nor "0x1"
    const char* digit = from + (*from == '-');
    const bool decimal = std::isdigit(static_cast<unsigned char>(*digit)) && std::tolower(digit[1]) != 'x';
    const double value = decimal ? std::strtod(from, &end) : 0;
    if (!decimal) end = const_cast<char*>(from);
    return value;
  };
  std::size_t at = 0;
  while (!pattern.empty()) {
    if (pattern[0] != '{') {
      const std::string_view words = pattern.substr(0, pattern.find('{'));
      if (text.compare(at, words.size(), words) != 0) return false;
      at += words.size();
      pattern.remove_prefix(words.size());
      continue;
    }
    const std::string range(pattern.substr(0, pattern.find('}') + 1));
    const std::size_t dots = std::min(range.find(".."), range.size() - 1);  // "1." is a number, too
    const std::string first = range.substr(1, dots - 1), second = range.substr(dots);
    char *low_end, *high_end, *end;
    const double low = number_at(first.c_str(), low_end);
    const double high = number_at(second.c_str() + std::min<std::size_t>(2, second.size()), high_end);
    if (first.empty() || *low_end || std::string_view(high_end) != "}" || !(low < high))
      throw std::invalid_argument("'" + range + "' came; needed {LOW..HIGH}");
    const double value = number_at(text.c_str() + at, end);
    if (end == text.c_str() + at || !(low <= value && value <= high)) return false;
    at = static_cast<std::size_t>(end - text.c_str());
    pattern.remove_prefix(range.size());
  }
  return at == text.size();
}

/// The blocks of the pattern that are no indented block of the page.
inline std::vector<std::string> missing(const std::vector<std::string>& pattern, std::istream& page) {
  const std::vector<std::string> shown = blocks_of(page, true);
  std::vector<std::string> not_shown;
  for (const std::string& block : pattern)
    if (std::none_of(shown.begin(), shown.end(), [&](const std::string& b) { return matches(block, b); }))
      not_shown.push_back(block);
  return not_shown;
}

}  // namespace unroll::tests
