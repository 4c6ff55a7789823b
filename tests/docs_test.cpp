// The code that guides show is code that the suite compiles: after a line "<!-- from PATH -->" the next
// fenced block stands in that file, word for word.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

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
