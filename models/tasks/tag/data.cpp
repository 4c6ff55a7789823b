#include "models/tasks/tag/data.h"

#include <fmt/format.h>

#include "models/data/text.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "tag";

std::vector<int> tag_ids(const TaggedSentence& sentence, const LabelSet& tags) {
  std::vector<int> ids;
  for (std::size_t i = 0; i < sentence.tags.size(); ++i)
    ids.push_back(tags.id(sentence.tags[i], {sentence.place.file, sentence.lines[i]}));
  return ids;
}

class Builder {
 public:
  Builder(const TaggingDataOptions& options, BadRows& bad) : options_(options), bad_(bad) {}

  TaggingData build() {
    const auto read = [&](const std::string& path, auto use) {
      read_tagged_text(path, options_.format, bad_, use);
    };
    read_parts<TaggedSentence>(options_.files, bad_, "sentence", kOp, read,
                               [&](const TaggedSentence& s, std::size_t part) { take(s, part); });
    data_.tags.expect(2, "tags", kOp);
    make_vocabularies();
    for (std::size_t part = 0; part < 3; ++part)
      for (const std::string& word : words_[part].tokens()) {
        data_.parts[part].words.push_back(data_.vocabulary.id(looked_up(word, options_.lower)));
        auto& characters = data_.parts[part].characters.emplace_back();
        each_code_point(word, [&](std::string_view p) { characters.push_back(data_.alphabet.id(p)); });
      }
    return std::move(data_);
  }

 private:
  void take(const TaggedSentence& sentence, std::size_t part) {
    if (part == 0)
      for (const std::string& tag : sentence.tags) data_.tags.add(tag);
    auto tags = tag_ids(sentence, data_.tags);
    data_.parts[part].sentences.push_back(words_[part].numbers(sentence.words));
    data_.parts[part].tags.push_back(std::move(tags));
  }
  void make_vocabularies() {
    TokenCounts words, characters;
    for (const auto& sentence : data_.parts[0].sentences) words_[0].count(sentence);
    for (std::size_t i = 0; i < words_[0].tokens().size(); ++i) {
      const std::string& word = words_[0].tokens()[i];
      const Index times = words_[0].times()[i];
      words.add(looked_up(word, options_.lower), times);
      each_code_point(word, [&](std::string_view p) { characters.add(p, times); });
    }
    data_.vocabulary = Vocabulary(words, kUnknownToken, options_.limits);
    data_.alphabet = Vocabulary(characters, kUnknownToken, {});
  }

  const TaggingDataOptions& options_;
  BadRows& bad_;
  std::array<NumberedTokens, 3> words_;  // the different ones of each part
  TaggingData data_;
};

void spell(const SavedTagger& tagger, const NumberedTokens& words, TaggedData& data) {
  for (const std::string& word : words.tokens()) {
    data.words.push_back(tagger.word_id(word));
    data.characters.push_back(tagger.character_ids(word));
  }
}

}  // namespace

TaggingData read_tagging_data(const TaggingDataOptions& options, BadRows& bad) {
  return Builder(options, bad).build();
}

TaggedData read_tagged_data(const SavedTagger& tagger, const std::string& path, const TaggedFormat& format,
                            BadRows& bad) {
  TaggedData data;
  NumberedTokens words;
  read_tagged_text(path, format, bad, [&](const TaggedSentence& sentence) {
    data.tags.push_back(tag_ids(sentence, tagger.tags));
    data.sentences.push_back(words.numbers(sentence.words));
  });
  if (data.size() == 0) autograd::fail(kOp, fmt::format("{} has no good sentence; needed some", path));
  spell(tagger, words, data);
  return data;
}

TaggedData sentence_data(const SavedTagger& tagger, std::span<const std::vector<std::string>> sentences) {
  TaggedData data;
  NumberedTokens words;
  for (const auto& sentence : sentences) data.sentences.push_back(words.numbers(sentence));
  spell(tagger, words, data);
  return data;
}

}  // namespace unroll::models
