// Whether a program still says what a page says it does: same_output PAGE PROGRAM [ARGUMENT...]
//
// Each line that the program prints stands in an indented block of the page. Words are the same; a number may
// differ by a tenth of its magnitude in decades and half of one, as what is learned does from build to build
// and from processor to processor: 4e-17 by two decades, 51.2 and 0.0029 by a factor of six or less; a small
// whole number by 2. A line of the page may go on in the next one, indented deeper or not. Source lines,
// "inspecting.cpp:88", are numbers like others.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Words = std::vector<std::string>;

// Numbers are words of their own.
Words words_of(const std::string& text) {
  Words words;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) words.push_back(word);
    word.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool starts =
        std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '-' && i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1])));
    if (starts && (word.empty() || !std::isalnum(static_cast<unsigned char>(word.back())))) {
      end();
      char* after = nullptr;
      std::strtod(text.c_str() + i, &after);
      const auto length = static_cast<std::size_t>(after - (text.c_str() + i));
      words.push_back(text.substr(i, length));
      i += length;
      continue;
    }
    if (std::isspace(static_cast<unsigned char>(c)))
      end();
    else
      word += c;
    ++i;
  }
  end();
  return words;
}

bool same_number(const std::string& a, const std::string& b) {
  const double x = std::atof(a.c_str()), y = std::atof(b.c_str());
  if (x == y) return true;
  if (x * y <= 0) return std::abs(x - y) <= 1;
  const double p = std::log10(std::abs(x)), q = std::log10(std::abs(y));
  const bool whole = x == std::floor(x) && y == std::floor(y);
  return std::abs(p - q) <= 0.1 * std::max(std::abs(p), std::abs(q)) + 0.5 || (whole && std::abs(x - y) <= 2);
}

bool same(const std::string& a, const std::string& b) {
  const auto is_number = [](const std::string& w) {
    return std::isdigit(static_cast<unsigned char>(w[0])) ||
           (w.size() > 1 && w[0] == '-' && std::isdigit(static_cast<unsigned char>(w[1])));
  };
  return a == b || (is_number(a) && is_number(b) && same_number(a, b));
}

// The first place in `page` from which on all words are as in `line`; npos if there is none.
std::size_t find(const Words& page, const Words& line) {
  for (std::size_t at = 0; at + line.size() <= page.size(); ++at) {
    std::size_t i = 0;
    while (i < line.size() && same(line[i], page[at + i])) ++i;
    if (i == line.size()) return at;
  }
  return std::string::npos;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::ifstream page(argv[1]);
  std::string line, blocks, command;
  while (std::getline(page, line))
    if (line.starts_with("    ")) blocks += line + '\n';
  for (int i = 2; i < argc; ++i) command += std::string(i == 2 ? "'" : " '") + argv[i] + "'";
  std::FILE* program = popen(command.c_str(), "r");
  if (!program) return 2;
  std::string output;
  for (int c; (c = std::fgetc(program)) != EOF;) output += static_cast<char>(c);
  const int status = pclose(program);
  std::cout << output;

  const Words known = words_of(blocks);
  int missing = status != 0, checked = 0;
  for (std::istringstream lines(output); std::getline(lines, line);) {
    const Words words = words_of(line);
    if (words.empty()) continue;
    ++checked;
    if (find(known, words) != std::string::npos) continue;
    std::cerr << argv[1] << " does not say: " << line << '\n';
    ++missing;
  }
  return missing == 0 && checked > 0 ? 0 : 1;
}
