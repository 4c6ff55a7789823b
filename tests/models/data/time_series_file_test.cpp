#include "models/data/time_series_file.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

std::vector<TimeSeries> read(const std::string& path, BadRows& bad) {
  std::vector<TimeSeries> rows;
  read_time_series(path, bad, [&](const TimeSeries& row) { rows.push_back(row); });
  return rows;
}

const std::string kHeader =
    "# a comment\n@problemName X\n@timeStamps false\n@missing false\n@univariate false\n@dimensions 2\n"
    "@equalLength false\n@classLabel true up down\n@data\n";  // 9 lines

}  // namespace

TEST_CASE("time series: dimensions become columns, lengths may differ") {
  const TemporaryFolder folder;
  BadRows bad;
  const auto rows = read(folder.file("a.ts", kHeader + "1,2,3:-4,5e1,.5:up\n7:8:down\n"), bad);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].label == "up");
  CHECK(rows[0].place.line == 10);
  CHECK(rows[0].series.columns == 2);
  CHECK(rows[0].series.steps() == 3);
  CHECK(rows[0].series.values == std::vector<float>{1, -4, 2, 50, 3, 0.5});
  CHECK(rows[1].series.values == std::vector<float>{7, 8});
}

TEST_CASE("time series: a univariate file without labels") {
  const TemporaryFolder folder;
  BadRows bad;
  const auto rows = read(folder.file("a.ts", "@univariate true\n@classLabel false\n@data\n1,2\n3\n"), bad);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].label.empty());
  CHECK(rows[0].series.steps() == 2);
}

TEST_CASE("time series: bad headers") {
  const TemporaryFolder folder;
  auto message = [&](const std::string& content) {
    BadRows bad(BadRows::Policy::skip);  // a bad header is no bad row
    return complaint([&] { read(folder.file("a.ts", content), bad); }, folder.path.string() + "/");
  };
  CHECK(message("") == "[time series] a.ts: no @data came; needed a .ts file, whose series follow @data");
  CHECK(message("1,2:up\n") ==
        "[time series] a.ts:1: '1,2:up' came; needed a tag such as @dimensions before @data");
  CHECK(message("@timeStamps true\n@data\n") ==
        "[time series] a.ts:1: a file with time stamps came; needed @timeStamps false");
  CHECK(message("@missing maybe\n@data\n") ==
        "[time series] a.ts:1: '@missing maybe' came; needed true or false after the tag");
  CHECK(message("@dimensions two\n@data\n") ==
        "[time series] a.ts:1: '@dimensions two' came; needed a whole number of at least 1 after the tag");
  CHECK(message("@classLabel true\n@data\n") ==
        "[time series] a.ts:1: @classLabel true without labels came; needed the labels that may come");
  CHECK(message("@colour red\n@data\n").starts_with("[time series] a.ts:1: '@colour' came; needed one of"));
  CHECK(message("@univariate true\n@dimensions 3\n@data\n") ==
        "[time series] a.ts:3: @univariate true with @dimensions 3 came; needed 1 dimension");
  CHECK(message(kHeader) == "[time series] a.ts: no series came after @data; needed one on each line");
}

TEST_CASE("time series: bad rows are named, or skipped and counted") {
  const TemporaryFolder folder;
  auto message = [&](const std::string& row, const std::string& header = kHeader) {
    BadRows bad;
    return complaint([&] { read(folder.file("a.ts", header + row), bad); }, folder.path.string() + "/");
  };
  CHECK(message("1\n") == "[time series] a.ts:10: '1' came; needed a ':' and a label after the numbers");
  CHECK(message("1:2:left\n") ==
        "[time series] a.ts:10: the label 'left' came; needed one of the 2 labels of @classLabel");
  CHECK(message("1:up\n") == "[time series] a.ts:10: 1 dimensions came; needed 2");
  CHECK(message("1:2:3:up\n") == "[time series] a.ts:10: 3 dimensions came; needed 2");
  CHECK(message("1,2:3:up\n") ==
        "[time series] a.ts:10: 1 values in dimension 2 came; needed 2 as in dimension 1");
  CHECK(message("1,?:3,4:up\n") ==
        "[time series] a.ts:10: '?' as value 2 of dimension 1 came; needed a finite number");
  CHECK(message("1,NaN:3,4:up\n").find("'NaN' as value 2") != std::string::npos);
  CHECK(message("1,1e39:3,4:up\n").find("'1e39' as value 2 of dimension 1 came; needed a finite number") !=
        std::string::npos);
  CHECK(message("1,:3,4:up\n").find("'' as value 2") != std::string::npos);
  CHECK(message("1,2:3,(0,1):up\n").find("'(0' as value 2") != std::string::npos);
  CHECK(message(":2:up\n").find("'' as value 1 of dimension 1") != std::string::npos);
  CHECK(message("1:2\xFF:up\n").starts_with("[utf-8] a.ts:10"));
  const std::string equal = "@univariate true\n@equalLength true\n@classLabel false\n@data\n";
  CHECK(message("1,2\n1,2,3\n", equal) ==
        "[time series] a.ts:6: a series of 3 steps came; needed 2 for each series");

  BadRows bad(BadRows::Policy::skip);
  CHECK(read(folder.file("a.ts", kHeader + "1:up\n1:2:up\n\nx:y:down\n"), bad).size() == 1);
  CHECK(bad.skipped() == 2);
}

}  // namespace unroll::models
