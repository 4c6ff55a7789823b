// What kind of thing is this sequence? Tokens of a text, or rows of numbers; a recurrent net; one row for the
// whole sequence; and a score for each label.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "models/data/time_series.h"
#include "models/data/vocabulary.h"
#include "models/tasks/encoder.h"

namespace unroll::models {

struct ClassifierOptions {
  Index classes = 2;
  bool many_labels = false;  // each label is a question of its own; else exactly one holds
  // Dropout: on what goes in, between layers, and on the row before the head.
  NetOptions net{.bidirectional = true, .dropout = 0.4};

  template <class F>
  void settings(F&& each) {
    each("many-labels", many_labels, kYesOrNo, "a text has any number of labels, '|' between");
  }
};

/// Logits [sequences, classes], in the caller's order of sequences. Dropout is applied only with a generator.
struct SequenceClassifier {
  std::optional<nn::Embedding> tokens;  // none for numbers
  Encoder encoder;
  nn::Pooling pooling;
  nn::Head head;
  nn::Dropout dropout;

  /// Of texts.
  static SequenceClassifier of_tokens(Index vocabulary, const ClassifierOptions& options, Generator& g);
  /// Of series of numbers.
  static SequenceClassifier of_numbers(Index columns, const ClassifierOptions& options, Generator& g);

  /// Token ids in packed order (Layout::pack).
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                 Generator* noise = nullptr) const;
  /// Rows in packed order.
  Var operator()(Var rows, const ops::Layout& layout, Generator* noise = nullptr) const;
  void members(Members& m) {
    m("tokens", tokens), m("encoder", encoder), m("pooling", pooling), m("head", head);
  }

 private:
  SequenceClassifier(Index in, const ClassifierOptions& options, Generator& generator);
};

/// A score for each label that is a sum over the tokens, which are n-grams: logistic regression. What a net
/// is to be compared with.
struct LinearClassifier {
  nn::Embedding weights;  // [vocabulary, classes]
  Parameter bias;         // [classes]

  LinearClassifier(Index vocabulary, const ClassifierOptions& options, Generator& generator);
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                 Generator* noise = nullptr) const;
  void members(Members& m) { m("weights", weights), m("bias", bias); }
};

}  // namespace unroll::models

namespace unroll {
using models::ClassifierOptions;
using models::LinearClassifier;
using models::SequenceClassifier;
}  // namespace unroll
