// The house has four floors and includes only go down.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {
const fs::path kRoot = UNROLL_SOURCE_ROOT;
const std::map<std::string, int> kFloor{{"autograd", 0}, {"ops", 1}, {"nn", 2}, {"models", 3}};
}  // namespace

TEST_CASE("no include climbs a floor") {
  const std::regex include("^\\s*#\\s*include\\s*[<\"](?:unroll/)?(autograd|ops|nn|models|tests)/");
  int includes = 0;
  for (const auto& [folder, floor] : kFloor)
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream file(entry.path());
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        ++includes;
        const std::string target = match[1];
        INFO(entry.path().string() << ":" << number << ": " << line);
        CHECK((target != "tests" && kFloor.at(target) <= floor));
      }
    }
  CHECK(includes > 50);
}

TEST_CASE("SIMD and BLAS live in ops/ and nowhere else") {
  const std::regex foreign("#\\s*include\\s*[<\"](cblas|immintrin|xsimd|arm_neon)");
  for (const std::string folder : {"autograd", "nn", "models"})
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        INFO(entry.path().string() << ": " << line);
        CHECK_FALSE(std::regex_search(line, foreign));
      }
    }
}

TEST_CASE("the top level holds what it should and nothing else") {
  const std::set<std::string> expected{"autograd",
                                       "ops",
                                       "nn",
                                       "models",
                                       "tests",
                                       "docs",
                                       "meson.build",
                                       "meson_options.txt",
                                       "quickstart.sh",
                                       "test.sh",
                                       "README.md",
                                       "LICENSE",
                                       "CHANGELOG.md",
                                       "CONTRIBUTING.md"};
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") || name.starts_with("build")) continue;
    if (name == "report.html" || name.ends_with(".safetensors")) continue;  // what .gitignore names
    INFO(name);
    CHECK(expected.contains(name));
  }
}
