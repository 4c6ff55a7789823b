// What is this text about? Words, a recurrent net, one row for the whole text, and a class.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/encoder.h"
#include "models/vocabulary.h"

namespace unroll::models {

struct ClassifierOptions {
  Index classes = 2;
  NetOptions net{.bidirectional = true,
                 .dropout = 0.4};  // dropout: on words, between layers, before the head
};

struct TextClassifier {
  nn::Embedding words;
  Encoder encoder;
  nn::Pooling pooling;
  nn::Head head;
  nn::Dropout dropout;

  TextClassifier(Index vocabulary, const ClassifierOptions& options, Generator& generator);
  /// Word ids in packed order (Layout::pack) to logits [sequences, classes], in the caller's order. Dropout
  /// is applied only with a generator.
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                 Generator* noise = nullptr) const;
  void members(Members& m) {
    m("words", words), m("encoder", encoder), m("pooling", pooling), m("head", head);
  }
};

/// A classifier with what is needed to apply it to text.
struct SavedClassifier {
  ClassifierOptions options;
  Vocabulary vocabulary;
  TextClassifier model;
};
ModelCard card_of(const ClassifierOptions& options, const Vocabulary& vocabulary);
void save_classifier(const std::string& path, SavedClassifier& classifier);
/// Throws Error, naming the file, if it is no text classifier.
SavedClassifier load_classifier(const std::string& path);

/// Sequences of word ids as they go through the net.
struct PackedTexts {
  explicit PackedTexts(std::span<const std::span<const int>> texts);
  ops::Layout layout;
  std::vector<int> ids;
};

}  // namespace unroll::models

namespace unroll {
using models::ClassifierOptions;
using models::TextClassifier;
}  // namespace unroll
