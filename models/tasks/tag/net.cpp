#include "models/tasks/tag/net.h"

#include <utility>

#include "models/data/text.h"
#include "ops/concat.h"
#include "ops/gather.h"

namespace unroll::models {

namespace {

nn::Bidirectional<nn::Lstm> make_spelling(const TaggerOptions& o, Generator& generator) {
  nn::Lstm forward(o.char_embed, o.char_hidden, generator), reverse(o.char_embed, o.char_hidden, generator);
  return {std::move(forward), std::move(reverse)};
}

Index width_of(const TaggerOptions& o) { return o.net.embed + 2 * o.char_hidden; }

}  // namespace

Tagger::Tagger(Index vocabulary, Index alphabet, const TaggerOptions& options, Generator& generator)
    : words(vocabulary, options.net.embed, generator),
      encoder(width_of(options), options.net, generator),
      head(encoder.width(), options.tags, generator),
      dropout(options.net.dropping()),
      spells(options.char_hidden > 0) {
  if (!spells) return;
  characters = nn::Embedding(alphabet, options.char_embed, generator);
  spelling = make_spelling(options, generator);
}

Var Tagger::operator()(Tape& tape, const PackedSentences& batch, Generator* noise) const {
  const auto scope = enter(tape, *this, "");
  Var rows = words(tape, batch.words);
  if (spells) {
    const Var letters = characters(tape, batch.characters);
    const Var spelt = nn::final_state(spelling({letters, &batch.spellings}));
    rows = ops::concat({rows, ops::gather_rows(spelt, batch.spelling)}, 1);
  }
  const nn::PackedSequence read = encoder(dropout(nn::PackedSequence{rows, &batch.sentences}, noise), noise);
  return head(dropout(read, noise).rows);
}

std::vector<int> TaggedData::lengths() const {
  std::vector<int> result;
  for (const auto& sentence : sentences) result.push_back(static_cast<int>(sentence.size()));
  return result;
}

Index TaggedData::word_count() const {
  Index count = 0;
  for (const auto& sentence : sentences) count += static_cast<Index>(sentence.size());
  return count;
}

Tagger AboutTagger::make(Generator& generator) const {
  TaggerOptions with_tags = options;
  with_tags.tags = tags.size();
  return Tagger(vocabulary.size(), alphabet.size(), with_tags, generator);
}

std::string looked_up(std::string_view word, bool lower) {
  return lower ? lower_case(word) : std::string(word);
}

int AboutTagger::word_id(std::string_view word) const {
  return vocabulary.id(looked_up(word, options.lower));
}

std::vector<int> AboutTagger::character_ids(std::string_view word) const {
  std::vector<int> ids;
  each_code_point(word, [&](std::string_view point) { ids.push_back(alphabet.id(point)); });
  return ids;
}

PackedSentences pack_sentences(const TaggedData& data, std::span<const int> which) {
  std::vector<int> lengths, numbers;
  for (const int i : which) {
    const auto& sentence = data.sentences[static_cast<std::size_t>(i)];
    lengths.push_back(static_cast<int>(sentence.size()));
    numbers.insert(numbers.end(), sentence.begin(), sentence.end());
  }
  PackedSentences batch;
  batch.sentences = ops::Layout(lengths);
  std::vector<int> place(data.words.size(), -1);  // of a word among the different ones of the batch
  std::vector<int> spelling_lengths, characters;
  for (const int number : batch.sentences.pack<int>(numbers)) {
    const auto word = static_cast<std::size_t>(number);
    if (place[word] < 0) {
      place[word] = static_cast<int>(spelling_lengths.size());
      spelling_lengths.push_back(static_cast<int>(data.characters[word].size()));
      characters.insert(characters.end(), data.characters[word].begin(), data.characters[word].end());
    }
    batch.words.push_back(data.words[word]);
    batch.spelling.push_back(place[word]);
  }
  batch.spellings = ops::Layout(spelling_lengths);
  batch.characters = batch.spellings.pack<int>(characters);
  return batch;
}

}  // namespace unroll::models
