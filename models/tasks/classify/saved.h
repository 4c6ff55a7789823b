// A classifier with what is needed to apply it, and its file.
#pragma once
#include <string>
#include <variant>

#include "models/data/labelled_sequences.h"
#include "models/data/labels.h"
#include "models/data/text_tokens.h"
#include "models/tasks/classify/net.h"
#include "models/training/model_file.h"

namespace unroll::models {

struct SavedClassifier {
  ClassifierOptions options;
  LabelSet labels;
  TextForm text;          // of texts
  Vocabulary vocabulary;  // of texts; with no token for series
  Scaling scaling;        // of series
  std::variant<SequenceClassifier, LinearClassifier> net;

  /// Of texts: n-grams have a linear classifier.
  SavedClassifier(const ClassifierOptions& options, LabelSet labels, const TextForm& text,
                  Vocabulary vocabulary, Generator& generator);
  /// Of series.
  SavedClassifier(const ClassifierOptions& options, LabelSet labels, Scaling scaling, Generator& generator);

  bool reads_text() const { return vocabulary.size() > 0; }
  /// Logits [sequences, labels].
  Var operator()(Tape& tape, const PackedSequences& packed, Generator* noise = nullptr) const;
  void members(Members& m) {
    std::visit([&](auto& model) { model.members(m); }, net);
  }
};

inline constexpr const char* kClassifier = "classifier";
ModelCard card_of(const SavedClassifier& classifier);
void save_classifier(const std::string& path, SavedClassifier& classifier);
/// Throws Error, naming the file, if it is no classifier.
SavedClassifier load_classifier(const std::string& path);

}  // namespace unroll::models
