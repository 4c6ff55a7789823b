#include "models/data/text.h"

#include <doctest/doctest.h>

#include "autograd/system/error.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

TEST_CASE("UTF-8: well-formed text passes, and splits into code points") {
  const std::string text = "a\u00e9\u20ac\U0001F600\n\U0010FFFF";
  check_utf8(text, "x");
  std::vector<std::string> points;
  each_code_point(text, [&](std::string_view p) { points.emplace_back(p); });
  CHECK(points == std::vector<std::string>{"a", "\u00e9", "\u20ac", "\U0001F600", "\n", "\U0010FFFF"});
}

TEST_CASE("UTF-8: what is malformed is reported with file, line, column and byte") {
  auto message = [](std::string_view text) {
    try {
      check_utf8(text, "poem.txt");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK(
      message("ab\ncd\xFFz") ==
      "[utf-8] poem.txt:2: byte 0xFF came at column 3; needed ASCII or the first byte of a UTF-8 character");
  CHECK(message("\xC3(") ==
        "[utf-8] poem.txt:1: byte 0x28 came at column 2; needed 0x80 to 0xBF after 0xC3 of UTF-8");
  CHECK(message("\n\n\xE2\x82") ==
        "[utf-8] poem.txt:3: the end came at column 3; needed 0x80 to 0xBF after 0x82 of UTF-8");
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82\x28", "\xF0\x90\x80\xC0"})
    CHECK(message(bad) != "accepted");
}

TEST_CASE("words are lower-cased ASCII, punctuation stands alone, other letters stay") {
  CHECK(split_words("It's 2 o'Clock\t(Caf\u00c9).") ==
        std::vector<std::string>{"it", "'", "s", "2", "o", "'", "clock", "(", "caf\u00c9", ")", "."});
  CHECK(split_words(" \n").empty());
}

TEST_CASE("files: bytes come back as they are, errors name the file") {
  const TemporaryFolder folder;
  const std::string bytes("a\0\r\n\xFF", 5);
  CHECK(read_file(folder.file("bytes", bytes)) == bytes);
  CHECK_THROWS_WITH(read_file("/nowhere/at-all"),
                    "[read] /nowhere/at-all cannot be opened: No such file or directory");
  CHECK_THROWS_WITH(read_file("/"), "[read] / is a folder; needed a file");
}

}  // namespace unroll::models
