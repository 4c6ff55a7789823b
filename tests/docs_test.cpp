// The code that guides show is code that the suite compiles: after a line "<!-- from PATH -->" the next
// fenced block stands in that file, word for word.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>

#include "docs/pattern.h"
#include "paths.h"

namespace fs = std::filesystem;

namespace {
const fs::path kRoot = UNROLL_SOURCE_ROOT;

std::string content(const fs::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

int check_page(const fs::path& page) {
  const std::string text = content(page);
  const std::regex block("<!-- from ([^ ]+) -->\\s*```[a-z]*\\n([^`]*)```");
  int found = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), block), end; it != end; ++it, ++found) {
    INFO(page.string() << " quotes " << (*it)[1].str());
    CHECK(content(kRoot / (*it)[1].str()).find((*it)[2].str()) != std::string::npos);
  }
  return found;
}
}  // namespace

TEST_CASE("code in README, CONTRIBUTING and docs/ is compiled code") {
  int blocks = check_page(kRoot / "README.md") + check_page(kRoot / "CONTRIBUTING.md");
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "docs"))
    if (entry.path().extension() == ".md") blocks += check_page(entry.path());
  CHECK(blocks >= 4);
}

TEST_CASE("a pattern of what a program prints: words as they are, figures in their bounds") {
  using unroll::tests::matches;
  CHECK(matches("at {40..60} % of -3", "at 51.2 % of -3"));
  CHECK(matches("{-2..1e-3}: it vanishes", "-1e-20: it vanishes"));
  for (const char* other :
       {"at 61 % of -3", "at 39.9 % of -3", "at 51.2 % of -4", "at 51.2 % of 3", "at 51.2 % of",
        "at 51.2 % of -3.", "at nan % of -3", "at inf % of -3", "at  % of -3", "at 0x30 % of -3",
        "at - % of -3", "at 51.2% of -3", "at 5 1 % of -3", "an at 51.2 % of -3", ""})
    CHECK_FALSE_MESSAGE(matches("at {40..60} % of -3", other), other);
  for (const char* broken : {"{", "{}", "{1}", "{1..}", "{..1}", "{2..1}", "{1..1}", "{a..b}", "{1..2",
                             "{1...2.}", "{1.. 2}", "{1..2..3}"})
    CHECK_THROWS_MESSAGE(matches(broken, "1"), broken);
}

TEST_CASE("docs/inspecting.md shows what its program prints everywhere; a wrong word or figure is seen") {
  using namespace unroll::tests;
  std::ifstream expected(kRoot / "tests/docs/inspecting.txt");
  const auto pattern = blocks_of(expected, false);
  std::istringstream page(content(kRoot / "docs/inspecting.md")), nothing;
  CHECK(missing(pattern, page).empty());
  CHECK(missing(pattern, nothing) == pattern);

  page.clear(), page.seekg(0);
  const auto shown = blocks_of(page, true);
  for (const std::string& block : pattern) {
    const auto at =
        std::find_if(shown.begin(), shown.end(), [&](const auto& b) { return matches(block, b); });
    REQUIRE(at != shown.end());
    const auto with = [&](std::size_t from, std::size_t length, const std::string& other) {
      const std::string changed = std::string(*at).replace(from, length, other);
      INFO(changed);
      CHECK_FALSE(matches(block, changed));
    };
    int numbers = 0;
    const std::regex word("[^ ]+"), number("-?[0-9][0-9.]*(e[-+]?[0-9]+)?");
    for (std::sregex_iterator it(at->begin(), at->end(), word), end; it != end; ++it) {
      with(static_cast<std::size_t>(it->position()), it->str().size(), "");
      with(static_cast<std::size_t>(it->position()), 0, "not ");
    }
    for (std::sregex_iterator it(at->begin(), at->end(), number), end; it != end; ++it, ++numbers) {
      const double x = std::stod(it->str());
      for (const double wrong : {1e6 * x + 1e6, -1e6 * x - 1e6})
        with(static_cast<std::size_t>(it->position()), it->str().size(),
             (std::ostringstream() << wrong).str());
    }
    CHECK(numbers > 3);
  }

  for (const auto& [right, wrong] : {std::pair{"51.2 % right", "71.2 % right"},
                                     {"0.069 at step 99", "6.9e-6 at step 99"},
                                     {"4e-17 at", "4e-10 at"},
                                     {"4e-17 at", "4e-27 at"},
                                     {"after 23 steps", "after 230 steps"},
                                     {"after 23 steps", "after 3 steps"},
                                     {"100.0 % right", "90.0 % right"},
                                     {"0.00016 at step 99", "1.6e-10 at step 99"},
                                     {"0.0013 at step 0", "1300 at step 0"},
                                     {"1 % of its", "81 % of its"},
                                     {"81 % near", "1 % near"},
                                     {"1330.85]", "13.3085]"}}) {
    std::string text = content(kRoot / "docs/inspecting.md");
    const std::size_t at = text.find(right);
    REQUIRE_MESSAGE(at != std::string::npos, right);
    std::istringstream changed(text.replace(at, std::string_view(right).size(), wrong));
    CHECK_MESSAGE(missing(pattern, changed).size() == 1, wrong);
  }
}
