// same_output PATTERN PAGE PROGRAM: whether a program prints what a pattern (pattern.h) says, and a page
// shows it. A page has the figures of one run: both are held to the same bounds. Empty lines of the pattern
// part what the page shows as blocks of their own.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "pattern.h"
using namespace unroll::tests;

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream expected(argv[1]), page(argv[2]);
  const std::vector<std::string> pattern = blocks_of(expected, false);
  std::FILE* program = popen((std::string("'") + argv[3] + "'").c_str(), "r");
  if (!program || pattern.empty()) return 2;
  std::string output, whole;
  for (int c; (c = std::fgetc(program)) != EOF;) output += static_cast<char>(c);
  const int status = pclose(program);
  std::cout << output;

  for (const std::string& block : pattern) whole += block + ' ';
  const bool printed = status == 0 && matches(in_one_line(whole), in_one_line(output));
  if (!printed) std::cerr << "the program did not print what " << argv[1] << " says\n";
  const auto not_shown = missing(pattern, page);
  for (const std::string& block : not_shown) std::cerr << argv[2] << " does not show: " << block << '\n';
  return printed && not_shown.empty() ? 0 : 1;
}
