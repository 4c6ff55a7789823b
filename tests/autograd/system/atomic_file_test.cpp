#include "autograd/system/atomic_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/models/temporary_folder.h"

namespace unroll::autograd {

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}
std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE(
    "a file is replaced whole: what was left by a writer that was killed goes, what is being written stays") {
  const models::TemporaryFolder folder;
  const std::string path = folder.file("model");
  for (const char* other :
       {"model.12-0.partial", "model.mine.partial", "model.12-0.partial.mine", "mo.12-0.partial"})
    folder.file(other, "x");
  AtomicFile first(path);
  replace_file(path, "second");
  CHECK(content(path) == "second");
  // The model, the first one's temporary file, three of other names.
  CHECK(names_in(folder.path).size() == 5);
  CHECK_FALSE(std::filesystem::exists(folder.path / "model.12-0.partial"));
  first.write(std::as_bytes(std::span("first", 5)));
  first.commit();
  CHECK(content(path) == "first");
  CHECK(names_in(folder.path) == std::vector<std::string>{"mo.12-0.partial", "model",
                                                          "model.12-0.partial.mine", "model.mine.partial"});
}

}  // namespace unroll::autograd
