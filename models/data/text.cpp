#include "models/data/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "autograd/system/error.h"

namespace unroll::models {

using autograd::fail;

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    fail("read", fmt::format("{} is a folder; needed a file", path.string()));
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("read", fmt::format("{} cannot be opened: {}", path.string(), std::strerror(errno)));
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) fail("read", fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
  return bytes;
}

namespace {

struct ByteRange {
  unsigned char low, high;
  bool holds(unsigned char byte) const { return low <= byte && byte <= high; }
};

// What may follow a lead byte: the second byte is restricted for some, all later ones are 80..BF.
struct Form {
  int bytes;
  ByteRange second;
};
Form form_of(unsigned char lead) {
  if (lead < 0x80) return {1, {}};
  if (lead >= 0xC2 && lead <= 0xDF) return {2, {0x80, 0xBF}};
  if (lead == 0xE0) return {3, {0xA0, 0xBF}};
  if (lead == 0xED) return {3, {0x80, 0x9F}};
  if (lead >= 0xE1 && lead <= 0xEF) return {3, {0x80, 0xBF}};
  if (lead == 0xF0) return {4, {0x90, 0xBF}};
  if (lead >= 0xF1 && lead <= 0xF3) return {4, {0x80, 0xBF}};
  if (lead == 0xF4) return {4, {0x80, 0x8F}};
  return {0, {}};
}

struct Mistake {
  std::size_t at;
  std::string needed;
};

std::optional<Mistake> find_mistake(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Form form = form_of(static_cast<unsigned char>(text[at]));
    if (form.bytes == 0) return Mistake{at, "ASCII or the first byte of a UTF-8 character"};
    for (std::size_t i = 1; i < static_cast<std::size_t>(form.bytes); ++i) {
      const ByteRange range = i == 1 ? form.second : ByteRange{0x80, 0xBF};
      if (at + i >= text.size() || !range.holds(static_cast<unsigned char>(text[at + i])))
        return Mistake{at + i, fmt::format("0x{:02X} to 0x{:02X} after 0x{:02X} of UTF-8", range.low,
                                           range.high, static_cast<unsigned char>(text[at + i - 1]))};
    }
    at += static_cast<std::size_t>(form.bytes);
  }
  return {};
}

std::string describe(std::string_view text, const Mistake& mistake) {
  const std::size_t column = mistake.at - (text.substr(0, mistake.at).rfind('\n') + 1) + 1;
  const std::string came = mistake.at < text.size()
                               ? fmt::format("byte 0x{:02X}", static_cast<unsigned char>(text[mistake.at]))
                               : "the end";
  return fmt::format("{} came at column {}; needed {}", came, column, mistake.needed);
}

}  // namespace

std::string utf8_mistake(std::string_view line) {
  const auto mistake = find_mistake(line);
  return mistake ? describe(line, *mistake) : "";
}

void check_utf8(std::string_view text, std::string_view name) {
  const auto mistake = find_mistake(text);
  if (!mistake) return;
  const std::string_view before = text.substr(0, mistake->at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  fail("utf-8", fmt::format("{}:{}: {}", name, line, describe(text, *mistake)));
}

namespace {
// Independent of the locale, unlike the functions of <cctype>.
bool is_space(char c) { return kSpace.find(c) != kSpace.npos; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || is_upper(c) || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> tokens;
  for (auto at = text.begin(); at != text.end();) {
    if (is_space(*at)) {
      ++at;
      continue;
    }
    const auto end = is_word(*at) ? std::find_if_not(at, text.end(), is_word) : at + 1;
    std::transform(at, end, std::back_inserter(tokens.emplace_back()), lower);
    at = end;
  }
  return tokens;
}

}  // namespace unroll::models
