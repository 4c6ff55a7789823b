#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

// All temporary files lie in a folder of this run: several may be under way at once.
int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "unroll-tests-XXXXXX").string();
  if (!mkdtemp(folder.data()) || setenv("TMPDIR", folder.c_str(), 1) != 0) {
    perror(folder.c_str());
    return 1;
  }
  const int failed = doctest::Context(argc, argv).run();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return failed;
}
