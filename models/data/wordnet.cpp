#include "models/data/wordnet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "autograd/system/error.h"
#include "models/data/text.h"

namespace unroll::models {

using autograd::fail;

namespace {

constexpr std::array<const char*, kNounClasses> kNames = {
    "noun.Tops",     "noun.act",        "noun.animal",        "noun.artifact",   "noun.attribute",
    "noun.body",     "noun.cognition",  "noun.communication", "noun.event",      "noun.feeling",
    "noun.food",     "noun.group",      "noun.location",      "noun.motive",     "noun.object",
    "noun.person",   "noun.phenomenon", "noun.plant",         "noun.possession", "noun.process",
    "noun.quantity", "noun.relation",   "noun.shape",         "noun.state",      "noun.substance",
    "noun.time"};
constexpr int kFirstNounFile = 3;

// The next space-separated field, taken off the front of `line`.
std::string_view field(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view result = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return result;
}

std::optional<Index> number(std::string_view digits) {
  Index value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// synset_offset lex_filenum ss_type w_cnt word lex_id ... | gloss
Definition parse(std::string_view line, const std::string& location) {
  auto reject = [&](std::string_view came, const char* needed) {
    fail("wordnet", fmt::format("{}: '{}' came; needed {}", location, came, needed));
  };
  const std::size_t bar = line.find(" | ");
  if (bar == std::string_view::npos) reject(line.substr(0, 40), "a gloss after \" | \"");
  std::string_view rest = line;
  const std::string_view offset = field(rest), file = field(rest), type = field(rest);
  field(rest);  // w_cnt
  const std::string_view noun = field(rest);
  if (!number(offset)) reject(offset, "a synset offset, 8 digits");
  const Index noun_class = number(file).value_or(-1) - kFirstNounFile;
  if (noun_class < 0 || noun_class >= kNounClasses) reject(file, "a lexicographer file number from 03 to 28");
  if (type != "n") reject(type, "the synset type n, a noun");
  const std::string_view gloss = line.substr(bar + 3);
  const std::string_view text = trim(gloss.substr(0, gloss.find("; ")));
  if (text.empty()) reject(gloss, "a definition");
  return {*number(offset), static_cast<int>(noun_class), std::string(noun), std::string(text)};
}

}  // namespace

const char* noun_class_name(int noun_class) {
  if (noun_class < 0 || noun_class >= kNounClasses)
    fail("wordnet", fmt::format("class {} came; needed one below {}", noun_class, kNounClasses));
  return kNames[static_cast<std::size_t>(noun_class)];
}

std::vector<Definition> read_noun_definitions(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "data.noun";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    fail("wordnet", fmt::format("{} does not exist; needed WordNet's files, which the Debian package "
                                "wordnet-base brings to /usr/share/wordnet",
                                path.string()));
  const std::string bytes = read_file(path);
  std::vector<Definition> definitions;
  std::string_view rest = bytes;
  for (int line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with("  ")) continue;  // the licence
    definitions.push_back(parse(line, fmt::format("{}:{}", path.string(), line_number)));
  }
  if (definitions.empty())
    fail("wordnet", fmt::format("{} holds no synset; needed lines as wndb(5WN) says", path.string()));
  return definitions;
}

DefinitionSplit split_definitions(std::vector<Definition> definitions) {
  DefinitionSplit split;
  for (Definition& d : definitions) {
    auto& part = d.offset % 10 == 0 ? split.test : d.offset % 10 == 1 ? split.validation : split.training;
    part.push_back(std::move(d));
  }
  return split;
}

}  // namespace unroll::models
