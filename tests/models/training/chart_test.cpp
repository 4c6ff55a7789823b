#include "models/training/chart.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "autograd/system/error.h"
#include "models/data/text.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The numbers in the path of each line.
std::vector<std::vector<double>> paths(const std::string& svg) {
  std::vector<std::vector<double>> all;
  const std::regex path(" d=\"([^\"]*)\""), number("-?[0-9.]+");
  for (std::sregex_iterator it(svg.begin(), svg.end(), path), end; it != end; ++it) {
    const std::string d = (*it)[1];
    auto& numbers = all.emplace_back();
    for (std::sregex_iterator n(d.begin(), d.end(), number), last; n != last; ++n)
      numbers.push_back(std::stod(n->str()));
  }
  return all;
}

}  // namespace

TEST_CASE("chart: larger numbers stand higher, a logarithm keeps ratios, names are at the ends") {
  const Chart plain{.title = "a < b", .series = {{.name = "one & two", .x = {1, 2, 3}, .y = {1, 10, 100}}}};
  Chart log = plain;
  log.log_y = true;
  const std::string text = svg("A title", "below it", {plain, log});
  CHECK(text.starts_with("<svg"));
  CHECK(text.find("prefers-color-scheme:dark") != std::string::npos);
  CHECK(text.find("a &lt; b") != std::string::npos);
  CHECK(count(text, ">one &amp; two</text>") == 2);
  CHECK(count(text, "<svg") == count(text, "</svg>"));
  CHECK(count(text, "<text") == count(text, "</text>"));
  const auto lines = paths(text);
  REQUIRE(lines.size() == 2);
  for (const auto& p : lines) {
    REQUIRE(p.size() == 6);
    CHECK(p[0] < p[2]);
    CHECK(p[1] > p[3]);
    CHECK(p[3] > p[5]);
  }
  CHECK(lines[1][1] - lines[1][3] == doctest::Approx(lines[1][3] - lines[1][5]).epsilon(0.01));
}

TEST_CASE("chart: what cannot be drawn is left out and breaks the line") {
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  const std::string text =
      svg("t", "", {{.series = {{.name = "s", .x = {1, 2, 3, 4, 5}, .y = {1, 2, nan, infinite, 3}}}}});
  CHECK(count(text, "nan") + count(text, "inf") == 0);
  CHECK(count(text, "<circle") == 3);
  CHECK(paths(text)[0].size() == 6);
  const std::string log =
      svg("t", "", {{.series = {{.name = "s", .x = {1, 2}, .y = {0, 2}}}, .log_y = true}});
  CHECK(count(log, "<circle") == 1);
  CHECK_THROWS_AS(svg("t", "", {{.series = {{.name = "s", .x = {1}, .y = {nan}}}}}), Error);
  CHECK_THROWS_AS(svg("t", "", {Chart{}}), Error);
}

TEST_CASE("chart: names of lines that end together do not overlap") {
  Chart chart;
  for (int i = 0; i < 6; ++i)
    chart.series.push_back({.name = "n" + std::to_string(i), .x = {0, 1}, .y = {0, 1}});
  const std::string text = svg("t", "", {chart});
  const std::regex name("y=\"([0-9.]+)\" style=\"fill:var\\(--c0\\)\">n[0-5]");
  std::vector<double> ys;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it)
    ys.push_back(std::stod((*it)[1]));
  REQUIRE(ys.size() == 6);
  for (std::size_t i = 1; i < ys.size(); ++i) CHECK(ys[i] - ys[i - 1] >= 14.9);
}

TEST_CASE("chart: whole numbers have whole ticks; an axis has numbers or powers of ten, not both") {
  const Curve epochs{.name = "s", .x = {1, 2}, .y = {1e-5, 1}};
  const std::string plain = svg("t", "", {{.series = {epochs}}});
  CHECK(count(plain, "middle\">1</text>") == 1);
  CHECK(count(plain, "middle\">2</text>") == 1);
  CHECK(count(plain, "middle\">1.") == 0);
  const std::string halves = svg("t", "", {{.series = {{.name = "s", .x = {1, 2.5}, .y = {0, 1}}}}});
  CHECK(count(halves, "middle\">1.2</text>") == 1);
  const std::string powers = svg("t", "", {{.series = {epochs}, .log_y = true}});
  CHECK(count(powers, ">0.001</text>") + count(powers, ">1</text>") == 1);  // that of x
  CHECK(count(powers, "</tspan>") > 2);
  const std::string numbers =
      svg("t", "", {{.series = {{.name = "s", .x = {1, 2}, .y = {0.01, 1}}}, .log_y = true}});
  CHECK(count(numbers, "</tspan>") == 0);
  CHECK(count(numbers, ">0.01</text>") == 1);
}

TEST_CASE("chart: a file is the same picture") {
  const TemporaryFolder folder;
  const std::string path = folder.file("chart.svg");
  const std::vector<Chart> charts = {{.series = {{.name = "s", .x = {1}, .y = {2}}}}};
  write_svg(path, "t", "u", charts);
  CHECK(read_file(path) == svg("t", "u", charts));
}

}  // namespace unroll::models
