// A tag for each word: an embedding of the word beside what a recurrent net over its characters makes of its
// spelling, and a recurrent net over the sentence (Ling et al. 2015, Plank, Søgaard and Goldberg 2016).
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/data/text_tokens.h"
#include "models/tasks/encoder.h"
#include "models/training/saved.h"

namespace unroll::models {

struct TaggerOptions {
  Index tags = 2;
  Index char_embed = 32, char_hidden = 64;
  bool lower = false;
  // Dropout: on the words' rows, between layers, and before the head.
  NetOptions net{.cell = CellKind::lstm, .embed = 100, .hidden = 128, .bidirectional = true, .dropout = 0.4};

  template <class F>
  void settings(F&& each) {
    each("char-embed", char_embed, Range<Index>{1, kLargestExtent}, "numbers that stand for a character");
    each("char-hidden", char_hidden, Range<Index>{0, kLargestExtent},
         "units, in each direction, of the net over a word's characters; 0 for none");
    each("lower", lower, kYesOrNo, "look words up in lower case (ASCII); the spelling keeps capitals");
  }
  template <class F>
  void conditions(F&& effect) const {
    effect({"char-embed"}, char_hidden > 0, "--char-hidden 0", "a --char-hidden above 0");
    net.conditions(effect);
  }
};

/// Some sentences as they go through a tagger.
struct PackedSentences {
  ops::Layout sentences;
  std::vector<int> words;  // ids in packed order
  // Each different word of the batch is spelt once.
  ops::Layout spellings;        // its sequences are the different words
  std::vector<int> characters;  // ids in the packed order of `spellings`
  std::vector<int> spelling;    // which of them each of `words` is
};

struct Tagger {
  nn::Embedding words, characters;
  nn::Bidirectional<nn::Lstm> spelling;
  Encoder encoder;
  nn::Head head;
  nn::Dropout dropout;
  bool spells = true;

  Tagger(Index vocabulary, Index alphabet, const TaggerOptions& options, Generator& generator);
  /// Logits [words, tags] in packed order. Dropout is applied only with a generator.
  Var operator()(Tape& tape, const PackedSentences& batch, Generator* noise = nullptr) const;
  void members(Members& m) {
    m("words", words);
    if (spells) m("characters", characters), m("spelling", spelling);
    m("encoder", encoder), m("head", head);
  }
};

/// Sentences as numbers. Each different word is kept once.
struct TaggedData {
  std::vector<std::vector<int>> sentences;   // numbers of words, below `words.size()`
  std::vector<std::vector<int>> tags;        // none where they are not known
  std::vector<int> words;                    // the id in the vocabulary of each different word
  std::vector<std::vector<int>> characters;  // ids of its characters

  std::size_t size() const { return sentences.size(); }
  std::vector<int> lengths() const;
  Index word_count() const;
};

struct AboutTagger {
  static constexpr const char* kind = "tagger";
  TaggerOptions options;
  LabelSet tags;
  Vocabulary vocabulary, alphabet;

  template <class F>
  void contents(F&& each) {
    options.settings(each);
    without(options.net, {"pool"}).settings(each);
    each("tags", tags), each("vocabulary", vocabulary), each("alphabet", alphabet);
  }
  Tagger make(Generator& generator) const;
  /// Ids of a word and of its characters.
  int word_id(std::string_view word) const;
  std::vector<int> character_ids(std::string_view word) const;
};
using SavedTagger = Saved<AboutTagger>;

/// What a word is looked up as.
std::string looked_up(std::string_view word, bool lower);
PackedSentences pack_sentences(const TaggedData& data, std::span<const int> which);

}  // namespace unroll::models

namespace unroll {
using models::Tagger;
using models::TaggerOptions;
}  // namespace unroll
