#include "models/data/csv.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {
using Strings = std::vector<std::string>;
}

TEST_CASE("CSV: fields, quotes, commas and line ends in quotes (RFC 4180)") {
  const TemporaryFolder folder;
  Csv csv(folder.file("a.csv", "name,\"the \"\"other\"\"\",c\r\nx,\"1,\n2\",\"\"\r\n\r\n,,\"a\"\"\"\n"));
  CHECK(csv.header() == Strings{"name", "the \"other\"", "c"});
  CHECK(csv.column("c") == 2);
  REQUIRE(csv.next());
  CHECK(csv.record() == Strings{"x", "1,\n2", ""});
  CHECK(csv.place().line == 2);
  REQUIRE(csv.next());
  CHECK(csv.record() == Strings{"", "", "a\""});
  CHECK(csv.place().line == 5);
  CHECK_FALSE(csv.next());
}

TEST_CASE("CSV: every kind of bad input is named") {
  const TemporaryFolder folder;
  auto message = [&](const std::string& content, const Strings& wanted = {}) {
    BadRows bad;
    return complaint([&] { read_number_table(folder.file("a", content), wanted, bad); },
                     folder.path.string() + "/");
  };
  CHECK(message("") == "[csv] a: an empty file came; needed a header with the names of the columns");
  CHECK(message("x,y\n") == "[csv] a: a header without rows came; needed rows of numbers");
  CHECK(message("x,\n1,2\n") == "[csv] a:1: no name of column 2 came; needed a name for each column");
  CHECK(message("x,x\n1,2\n") == "[csv] a:1: the column 'x' twice came; needed each name once");
  CHECK(message("x,y\n1,2\n", {"z"}) == "[csv] a: no column 'z' came; needed one of x, y");
  CHECK(message("x,y\n1,2\n1\n") == "[csv] a:3: 1 fields came; needed 2, as many as the header has");
  CHECK(message("x,y\n1,2,3\n") == "[csv] a:2: 3 fields came; needed 2, as many as the header has");
  CHECK(message("x;y\n1;2\n") == "[csv] a:1: one column 'x;y' came; needed ',' between columns");
  CHECK(message("\"x;y\"\n1\n") == "none");
  CHECK(message("x,y\n1,\n", {"y"}) ==
        "[csv] a:2: an empty cell in the column 'y' came; needed a finite number");
  CHECK(
      message("time,y\n2020-01,2\n") ==
      "[csv] a:2: '2020-01' in the column 'time' came; needed a finite number, or --inputs with the columns "
      "to read");
  for (const char* cell : {"NaN", "inf", "-inf", "1e999", "x", "1 2", "0x1", "1;2", "+-1"})
    CHECK(message(std::string("x,y\n1,") + cell + "\n").find("in the column 'y' came; needed a finite") !=
          std::string::npos);
  CHECK(message("x,y\n1,\"2\n3\n") ==
        "[csv] a:2: a '\"' that is never closed came; needed one at the end of the field");
  CHECK(message("x,y\n1,\"2\"3\n") ==
        "[csv] a:2: '3' after a closing '\"' came; needed ',' or the end of the line");
  CHECK(message("x,y\n1,2\"\n") == "[csv] a:2: '\"' after '2' came; needed quotes around the whole field");
  CHECK(message("x,y\n1,\xFF\n").starts_with("[utf-8] a:2: byte 0xFF"));
}

TEST_CASE("CSV: numbers of the wanted columns; a row left out ends a piece") {
  const TemporaryFolder folder;
  BadRows bad(BadRows::Policy::skip);
  const std::string path =
      folder.file("a", "day,x,y\nmon,1, 2\ntue,+3,4e-1\nwed,,5\nthu,NaN,5\nfri,6,7\nsat,8,9,1\n");
  const NumberTable table = read_number_table(path, {"y", "x"}, bad);
  CHECK(table.columns == Strings{"y", "x"});
  CHECK(table.values == std::vector<double>{2, 1, 0.4, 3, 7, 6});
  CHECK(table.rows() == 3);
  CHECK(table.at(2, 1) == 6);
  CHECK(table.pieces == std::vector<Index>{0, 2});
  CHECK(bad.skipped() == 3);
  CHECK(bad.first().find("a:4: an empty cell in the column 'x'") != std::string::npos);
}

TEST_CASE("CSV: a quote out of place takes no other line along") {
  const TemporaryFolder folder;
  auto values = [&](const std::string& content, Index skipped) {
    BadRows bad(BadRows::Policy::skip);
    const NumberTable table = read_number_table(folder.file("a", content), {"x"}, bad);
    CHECK(bad.skipped() == skipped);
    return table.values;
  };
  CHECK(values("x,y\n1,a\n2,\"b\n3,c\n4,d\n5,e\n", 1) == std::vector<double>{1, 3, 4, 5});
  CHECK(values("x,y\n1,a\n2,\"b\n3,c\n4,\"d\"\n5,e\n", 1) == std::vector<double>{1, 3, 4, 5});
  CHECK(values("x,y\n1,\"a\nb\"\n2,\"c\nd\n3,\"e\nf\"\n", 2) == std::vector<double>{1, 3});
}

TEST_CASE("CSV: in one column an empty line is an empty cell, but for the last line of the file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a", "x\n1\n\n2\n3\n\n");
  BadRows refuse, skip(BadRows::Policy::skip);
  CHECK(complaint([&] { read_number_table(path, {}, refuse); }, folder.path.string() + "/") ==
        "[csv] a:3: an empty cell in the column 'x' came; needed a finite number");
  const NumberTable table = read_number_table(path, {}, skip);
  CHECK(table.values == std::vector<double>{1, 2, 3});
  CHECK(table.pieces == std::vector<Index>{0, 1});
  CHECK(skip.skipped() == 1);
}

}  // namespace unroll::models
