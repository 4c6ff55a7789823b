#include "autograd/system/message.h"

#include <doctest/doctest.h>

#include "autograd/system/error.h"

namespace unroll::autograd {

TEST_CASE("what came is shown in short, and not cut within a character") {
  CHECK(in_quotes("cat") == "'cat'");
  CHECK(in_quotes(std::string(60, 'a')) == "'" + std::string(60, 'a') + "'");
  CHECK(in_quotes(std::string(61, 'a')) == "'" + std::string(60, 'a') + "...'");
  CHECK(in_quotes(std::string(59, 'a') + "\xC3\xA9z") == "'" + std::string(59, 'a') + "...'");
}

TEST_CASE("an error is one line that steers no terminal, whatever came") {
  CHECK(one_line("1\n2\t\x7F\x1B[31m") == "1?2???[31m");
  CHECK(one_line("\xC2\x9B"
                 "2J \xC3\xA9 \xC2\xA0") == "?2J \xC3\xA9 \xC2\xA0");
  CHECK(one_line("\xC2") == "\xC2");
  CHECK_THROWS_WITH(fail("test", "a\nb came\x1B[2J"), "[test] a?b came?[2J");
}

}  // namespace unroll::autograd
