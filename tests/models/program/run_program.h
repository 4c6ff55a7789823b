// The built program as its users meet it: arguments in, exit code, stdout and stderr out.
#pragma once
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "models/data/text.h"
#include "paths.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

struct ProgramResult {
  int code;
  std::string out, err;
};

/// Runs `unroll ARGUMENTS` in a shell, in the folder `where` if one is given; `input` is its standard input.
inline ProgramResult run_program(const TemporaryFolder& folder, const std::string& arguments,
                                 const std::string& input = "", const std::string& where = ".") {
  const std::string in = folder.file("stdin", input), out = folder.file("stdout"),
                    err = folder.file("stderr");
  const int status = std::system(("cd '" + where + "' && '" UNROLL_PROGRAM "' " + arguments + " <'" + in +
                                  "' >'" + out + "' 2>'" + err + "'")
                                     .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(err)};
}

/// One line, from the program, that holds all of these; nothing on standard output.
inline void check_complaint(const ProgramResult& result, int code, std::initializer_list<const char*> parts) {
  INFO(result.err);
  CHECK(result.code == code);
  CHECK(result.out.empty());
  CHECK(result.err.starts_with("unroll: "));
  CHECK(std::ranges::count(result.err, '\n') == 1);
  for (const char* part : parts) {
    INFO(part);
    CHECK(result.err.find(part) != std::string::npos);
  }
}

}  // namespace unroll::models
