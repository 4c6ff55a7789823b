#include "models/data/word_vectors.h"

#include <fmt/format.h>

#include <optional>

#include "models/data/number.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "word vectors";

std::string_view without_trailing_blanks(std::string_view line) {
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

struct Header {
  Index words, width;
};
std::optional<Header> header_of(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return {};
  const auto words = whole_number(line.substr(0, blank)), width = whole_number(line.substr(blank + 1));
  if (!words || !width || *width < 1) return {};
  return Header{*words, *width};
}

// Takes the last field off a line.
std::string_view last_field(std::string_view& line) {
  const std::size_t blank = line.rfind(' ');
  const std::size_t begin = blank == std::string_view::npos ? 0 : blank + 1;
  const std::string_view field = line.substr(begin);
  line = line.substr(0, begin == 0 ? 0 : begin - 1);
  return field;
}

Index count_blanks(std::string_view line) {
  Index count = 0;
  for (char c : line) count += c == ' ';
  return count;
}

class Reader {
 public:
  Reader(const std::string& path, const Vocabulary& vocabulary)
      : lines_(kOp, path), vocabulary_(vocabulary), seen_(static_cast<std::size_t>(vocabulary.size())) {}

  WordVectors read(BadRows& bad);

 private:
  void row(std::string_view line);

  Lines lines_;
  const Vocabulary& vocabulary_;
  std::vector<bool> seen_;
  WordVectors vectors_;
};

void Reader::row(std::string_view line) {
  const auto width = static_cast<std::size_t>(vectors_.width);
  std::vector<float> numbers(width);
  for (std::size_t i = width; i-- > 0;) {
    const std::string_view field = last_field(line);
    const auto value = finite_number<float>(field);
    if (!value)
      lines_.reject(fmt::format("{} as number {}", in_quotes(field), i + 1),
                    fmt::format("a word and {} finite numbers", width));
    numbers[i] = *value;
  }
  if (line.empty())
    lines_.reject("no word", fmt::format("a word and {} finite numbers, blanks between them", width));
  const auto id = vocabulary_.find(line);
  if (!id || *id == Vocabulary::kUnknown) {
    // In a row that is too long a number ends what is taken for the word; some words do end in a number.
    if (const std::size_t blank = line.find(' '); blank != std::string_view::npos) {
      std::string_view rest = line;
      if (finite_number<float>(last_field(rest)) && rest.find(' ') == std::string_view::npos)
        lines_.reject(fmt::format("{} numbers after {}", width + 1, in_quotes(rest)),
                      fmt::format("{}", width));
    }
    return;
  }
  if (seen_[static_cast<std::size_t>(*id)])
    lines_.reject(fmt::format("the word {} a second time", in_quotes(line)), "each word once");
  seen_[static_cast<std::size_t>(*id)] = true;
  vectors_.ids.push_back(*id);
  vectors_.values.insert(vectors_.values.end(), numbers.begin(), numbers.end());
}

WordVectors Reader::read(BadRows& bad) {
  std::optional<Header> header;
  while (lines_.next()) {
    if (lines_.place().line == 1 && (header = header_of(without_trailing_blanks(lines_.text())))) {
      vectors_.width = header->width;
      continue;
    }
    ++vectors_.in_file;
    bad.guard([&] {
      const std::string_view line = without_trailing_blanks(lines_.text());
      if (vectors_.width == 0) {
        vectors_.width = count_blanks(line);
        if (vectors_.width == 0)
          lines_.reject(in_quotes(line), "a word and its numbers, blanks between them");
      }
      row(line);
    });
  }
  if (vectors_.in_file == 0)
    lines_.reject_file("a file without vectors came", "a word and its numbers a line");
  if (header && header->words != vectors_.in_file)
    lines_.reject_file(fmt::format("{} rows came", vectors_.in_file),
                       fmt::format("{} as the first line says", header->words));
  if (vectors_.ids.empty())
    lines_.reject_file(
        fmt::format("none of its {} words is in the vocabulary of the training data", vectors_.in_file),
        "some");
  return std::move(vectors_);
}

}  // namespace

void WordVectors::write_to(Tensor& table) const {
  for (std::size_t i = 0; i < ids.size(); ++i)
    for (Index c = 0; c < width; ++c)
      table.set(ids[i] * width + c,
                values[i * static_cast<std::size_t>(width) + static_cast<std::size_t>(c)]);
}

WordVectors read_word_vectors(const std::string& path, const Vocabulary& vocabulary, BadRows& bad) {
  return Reader(path, vocabulary).read(bad);
}

}  // namespace unroll::models
