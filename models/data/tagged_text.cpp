#include "models/data/tagged_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/data/number.h"
#include "models/data/text.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "tagged text";
constexpr std::array<const char*, 10> kColumns = {"id",    "form", "lemma",  "upos", "xpos",
                                                  "feats", "head", "deprel", "deps", "misc"};
constexpr int kUpos = 4, kXpos = 5;

std::vector<std::string_view> split(std::string_view line, const char* separators) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

// "3-4" and "3.1" into their two numbers.
struct Pair {
  long first, second;
};
std::optional<Pair> pair_of(std::string_view id, char between) {
  const std::size_t at = id.find(between);
  if (at == std::string_view::npos) return {};
  const auto first = whole_number(id.substr(0, at)), second = whole_number(id.substr(at + 1));
  if (!first || !second) return {};
  return Pair{*first, *second};
}

// The lines of one sentence.
struct Block {
  std::vector<std::string> lines;
  Index first = 0;  // the number of the first of them
};

class Reader {
 public:
  Reader(const std::string& file, const TaggedFormat& format) : file_(file), format_(format) {}

  TaggedSentence sentence(const Block& block) const {
    for (std::size_t i = 0; i < block.lines.size(); ++i)
      check_utf8(block.lines[i], Place{file_, block.first + static_cast<Index>(i)});
    return format_.form == TaggedForm::conllu ? conllu(block) : columns(block);
  }

 private:
  [[noreturn]] void reject(Index line, std::string_view came, std::string_view needed) const {
    models::reject(kOp, {file_, line}, came, needed);
  }
  void append(TaggedSentence& sentence, Index line, std::string_view word, std::string_view tag) const {
    if (sentence.words.empty()) sentence.place = {file_, line};
    sentence.words.emplace_back(word);
    sentence.tags.emplace_back(tag);
    sentence.lines.push_back(line);
  }
  TaggedSentence conllu(const Block& block) const;
  TaggedSentence columns(const Block& block) const;
  std::vector<std::string_view> conllu_fields(Index line, std::string_view text) const;

  std::string file_;
  TaggedFormat format_;
};

std::vector<std::string_view> Reader::conllu_fields(Index line, std::string_view text) const {
  const auto fields = split(text, "\t");
  if (fields.size() != kColumns.size())
    reject(line, fmt::format("{} fields", fields.size()), "the 10 fields of CoNLL-U, TABs between them");
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].empty())
      reject(line, fmt::format("an empty field {}", kColumns[i]), "'_' where there is nothing to say");
  return fields;
}

TaggedSentence Reader::conllu(const Block& block) const {
  TaggedSentence sentence;
  long words = 0, empty = 0;  // so far; empty nodes since the last word
  long token_end = 0;         // last word of the last multiword token
  Index token_line = 0;
  bool begun = false;
  for (std::size_t i = 0; i < block.lines.size(); ++i) {
    const Index line = block.first + static_cast<Index>(i);
    const std::string_view text = block.lines[i];
    if (text[0] == '#') {
      if (begun) reject(line, "a comment inside a sentence", "comments before its first word");
      continue;
    }
    begun = true;
    const auto fields = conllu_fields(line, text);
    const std::string_view id = fields[0];
    if (const auto token = pair_of(id, '-')) {
      if (token->first != words + 1 || token->second <= token->first || token->first <= token_end)
        reject(line, fmt::format("the multiword token {}", id),
               fmt::format("one that begins with word {}, overlaps no other, and ends later", words + 1));
      token_end = token->second;
      token_line = line;
    } else if (const auto node = pair_of(id, '.')) {
      if (node->first != words || node->second != ++empty)
        reject(line, fmt::format("the empty node {}", id), fmt::format("{}.{}", words, std::max(empty, 1L)));
    } else {
      if (whole_number(id) != words + 1)
        reject(line, fmt::format("the id {}", in_quotes(id)), fmt::format("{}, the next word's", words + 1));
      const std::string_view tag = fields[static_cast<std::size_t>(format_.column - 1)];
      if (tag == "_" && (format_.column == kUpos || format_.column == kXpos))
        reject(line, fmt::format("no {}", kColumns[static_cast<std::size_t>(format_.column - 1)]),
               "a tag for each word");
      ++words;
      empty = 0;
      append(sentence, line, fields[1], tag);
    }
  }
  if (token_end > words)
    reject(token_line, fmt::format("a multiword token up to word {}", token_end),
           fmt::format("an end within the sentence of {} words", words));
  if (words == 0) reject(block.first, "a sentence without words", "at least one");
  return sentence;
}

TaggedSentence Reader::columns(const Block& block) const {
  TaggedSentence sentence;
  std::size_t width = 0;
  for (std::size_t i = 0; i < block.lines.size(); ++i) {
    const Index line = block.first + static_cast<Index>(i);
    const bool tabs = block.lines[i].find('\t') != std::string::npos;
    const auto fields = split(block.lines[i], tabs ? "\t" : " ");
    if (width == 0) width = fields.size();
    if (fields.size() != width || width < 2)
      reject(line, fmt::format("{} fields", fields.size()),
             width < 2 ? "a word and a tag, TABs or single blanks between fields"
                       : fmt::format("{} as in the sentence's first line", width));
    const std::size_t column = format_.column == 0 ? width : static_cast<std::size_t>(format_.column);
    if (column > width)
      reject(line, fmt::format("{} fields", width), fmt::format("column {} for the tag", column));
    for (const std::size_t field : {std::size_t{1}, column})
      if (fields[field - 1].empty())
        reject(line, fmt::format("an empty field {}", field), "a word and a tag in each line");
    append(sentence, line, fields[0], fields[column - 1]);
  }
  return sentence;
}

}  // namespace

TaggedForm tagged_form_of(const std::string& path) {
  return path.ends_with(".conllu") || path.ends_with(".conll-u") ? TaggedForm::conllu : TaggedForm::columns;
}

int tag_column(TaggedForm form, const std::string& name) {
  const bool conllu = form == TaggedForm::conllu;
  if (name.empty()) return conllu ? kUpos : 0;
  if (const auto number = whole_number(name); number && *number >= 2 && *number <= 1000)
    if (!conllu || (*number > 2 && *number <= static_cast<long>(kColumns.size())))
      return static_cast<int>(*number);
  const auto it = std::ranges::find(kColumns, name);
  if (conllu && it != kColumns.end() && it - kColumns.begin() >= 2)
    return static_cast<int>(it - kColumns.begin()) + 1;
  autograd::fail(kOp, fmt::format("the column {} came; needed {}", in_quotes(name),
                                  conllu ? "lemma, upos, xpos, feats, head, deprel, deps, misc, or 3 to 10"
                                         : "a number from 2"));
}

void read_tagged_text(const std::string& path, const TaggedFormat& format, BadRows& bad,
                      const std::function<void(const TaggedSentence&)>& use) {
  Lines lines(kOp, path);
  const Reader reader(name_of_input(path), format);
  Block block;
  Index sentences = 0;
  auto end_block = [&] {
    if (block.lines.empty()) return;
    ++sentences;
    bad.guard([&] { use(reader.sentence(block)); });
    block.lines.clear();
  };
  while (lines.next()) {
    if (is_blank(lines.bytes())) {
      end_block();
      continue;
    }
    if (block.lines.empty()) block.first = lines.place().line;
    block.lines.emplace_back(lines.bytes());
  }
  end_block();
  if (sentences == 0) lines.reject_file("a file without sentences came", "one word a line");
}

}  // namespace unroll::models
