// The house has four floors and includes only go down.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "paths.h"

namespace fs = std::filesystem;

namespace {
const fs::path kRoot = UNROLL_SOURCE_ROOT;

// From the ground up. A file belongs to the room with the longest name that its path begins with.
const std::vector<std::string> kRooms{"autograd/system",
                                      "autograd/tensor",
                                      "autograd/memory",
                                      "autograd",
                                      "autograd/inspect/figures",
                                      "autograd/inspect/watch",
                                      "autograd/inspect/page",
                                      "autograd/inspect",
                                      "ops/simd",
                                      "ops/gemm",
                                      "ops",
                                      "nn",
                                      "models/settings",
                                      "models/data",
                                      "models/training",
                                      "models/tasks",
                                      "models/program"};
// Rooms of models/tasks do not know each other.
const std::string kTasks = "models/tasks/";

int room_of(const std::string& path) {
  int room = -1;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < kRooms.size(); ++i)
    if (path.starts_with(kRooms[i] + "/") && kRooms[i].size() > longest) {
      room = static_cast<int>(i);
      longest = kRooms[i].size();
    }
  return room;
}

// The room of one task, "" for what all of them share.
std::string task_of(const std::string& path) {
  if (!path.starts_with(kTasks)) return {};
  const std::size_t end = path.find('/', kTasks.size());
  return end == std::string::npos ? std::string() : path.substr(kTasks.size(), end - kTasks.size());
}
}  // namespace

TEST_CASE("no include climbs a floor, or a room within one") {
  const std::regex include(
      "^\\s*#\\s*include\\s*[<\"](?:unroll/)?((?:autograd|ops|nn|models|tests)/[^>\"]*)");
  int includes = 0;
  for (const std::string floor : {"autograd", "ops", "nn", "models"})
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / floor)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      const std::string path = entry.path().lexically_relative(kRoot).string();
      INFO(path);
      CHECK(room_of(path) >= 0);
      std::ifstream file(entry.path());
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        ++includes;
        const std::string target = match[1];
        INFO(number << ": " << line);
        CHECK(room_of(target) >= 0);
        CHECK(room_of(target) <= room_of(path));
        CHECK((task_of(target).empty() || !path.starts_with(kTasks) || task_of(target) == task_of(path)));
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
