#include "models/data/line_reader.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

TEST_CASE("lines: ends of all kinds, a byte order mark, and a last line without an end") {
  const TemporaryFolder folder;
  Lines lines("test", folder.file("a", "\xEF\xBB\xBFone\r\n\ntwo\nth\xC3\xA9"));
  std::vector<std::string> read;
  while (lines.next()) read.emplace_back(lines.text());
  CHECK(read == std::vector<std::string>{"one", "", "two", "th\xC3\xA9"});
  CHECK(lines.place().line == 4);
  CHECK_FALSE(lines.ended());
  CHECK_FALSE(lines.next());
}

TEST_CASE("lines: what cannot be read is named with file and line") {
  const TemporaryFolder folder;
  const std::string here = folder.path.string() + "/";
  CHECK(complaint([&] { Lines("test", folder.file("none")); }, here) ==
        "[test] none: No such file or directory; needed a file that can be read");
  CHECK(complaint([&] { Lines("test", folder.path.string()); }, folder.path.string()) ==
        "[test] : a folder came; needed a file");
  Lines lines("test", folder.file("bad", "fine\nb\xFF\nfine\n"));
  CHECK(lines.next());
  CHECK(lines.text() == "fine");
  CHECK(lines.next());
  CHECK(complaint([&] { (void)lines.text(); }, here) ==
        "[utf-8] bad:2: byte 0xFF came at column 2; needed ASCII or the first byte of a UTF-8 character");
  CHECK(lines.next());
  CHECK(complaint([&] { lines.reject("a cat", "a dog"); }, here) == "[test] bad:3: a cat came; needed a dog");
}

TEST_CASE("bad rows end the run, or are counted") {
  BadRows refuse, skip(BadRows::Policy::skip);
  auto bad = [] { autograd::fail("test", "a cat came"); };
  CHECK_THROWS_WITH(refuse.guard(bad), "[test] a cat came");
  CHECK(skip.guard([] {}));
  CHECK(skip.skipped() == 0);
  CHECK_FALSE(skip.guard(bad));
  CHECK_FALSE(skip.guard([] { autograd::fail("test", "another"); }));
  CHECK(skip.skipped() == 2);
  CHECK(skip.first() == "[test] a cat came");
}

TEST_CASE("lines: back to a line that was marked") {
  const TemporaryFolder folder;
  Lines lines("test", folder.file("a", "1\n2\n3\n4"));
  auto next = [&] { return lines.next() ? std::string(lines.text()) : "end"; };
  CHECK(next() == "1");
  lines.mark();
  CHECK(next() == "2");
  CHECK(next() == "3");
  lines.rewind();
  CHECK(lines.text() == "1");
  CHECK(lines.place().line == 1);
  CHECK(next() == "2");
  lines.mark();
  CHECK(next() == "3");
  CHECK(next() == "4");
  CHECK(next() == "end");
  lines.rewind();
  CHECK(lines.text() == "2");
  CHECK(lines.ended());
  CHECK(next() == "3");
  CHECK(next() == "4");
  CHECK_FALSE(lines.ended());
  CHECK(lines.place().line == 4);
}

}  // namespace unroll::models
