// Text as bytes, code points and words. Mistakes in files are reported with the file and the line in it, not
// with the line of the C++ call.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace unroll::models {

/// ASCII's white space. What stands between it are the words of a text.
inline constexpr std::string_view kSpace = " \t\n\v\f\r";
inline bool is_blank(std::string_view text) { return text.find_first_not_of(kSpace) == text.npos; }

/// All bytes of a file. Throws Error naming the file and the reason when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Throws Error "NAME:LINE: byte 0xFF came at column 7; needed ..." unless `text` is well-formed UTF-8: the
/// Unicode standard, table 3-7. The column counts bytes from 1.
void check_utf8(std::string_view text, std::string_view name);

/// The same without a place, for one line: "byte 0xFF came at column 7; needed ...". "" if it is well-formed.
std::string utf8_mistake(std::string_view line);

/// Bytes of the code point that starts with `lead`, in text that check_utf8() let through.
constexpr std::size_t code_point_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Calls f(std::string_view) for each code point of well-formed UTF-8.
template <class F>
void each_code_point(std::string_view text, F&& f) {
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view point = text.substr(at, code_point_bytes(text[at]));
    f(point);
    at += point.size();
  }
}

/// ASCII letters in lower case, others as they are, whatever the locale.
std::string lower_case(std::string_view text);

/// Words in lower case (ASCII letters only; other letters stay as they are) and punctuation marks, each a
/// token: "It's 2 o'clock." is it ' s 2 o ' clock . in this order.
std::vector<std::string> split_words(std::string_view text);

}  // namespace unroll::models
