// A classifier with what is needed to apply it, and its file.
#pragma once
#include <variant>

#include "models/data/labelled_sequences.h"
#include "models/data/text_tokens.h"
#include "models/tasks/classify/net.h"
#include "models/training/saved.h"

namespace unroll::models {

struct AboutClassifier {
  static constexpr const char* kind = "classifier";
  ClassifierOptions options;
  LabelSet labels;
  TextForm text;          // of texts: n-grams have a linear classifier
  Vocabulary vocabulary;  // of texts; with no token for series
  Scaling scaling;        // of series

  bool reads_text() const { return vocabulary.size() > 0; }
  template <class F>
  void contents(F&& each) {
    bool texts = reads_text();
    options.settings(each);
    each("reads-text", texts, kYesOrNo, "");
    if (texts) {
      each("ngrams", text.ngrams, Range<Index>{0, kNgrams.most}, "");
      text.settings(each);
    }
    std::vector<std::string_view> unused;
    if (!texts) unused = {"embed"};
    if (text.ngrams == 0) without(options.net, unused).settings(each);
    each("labels", labels);
    if (texts)
      each("vocabulary", vocabulary);
    else
      each(scaling, 0);
  }
  using Net = std::variant<SequenceClassifier, LinearClassifier>;
  Net make(Generator& generator) const;
};

struct SavedClassifier : Saved<AboutClassifier> {
  using Saved::Saved;
  /// Logits [sequences, labels].
  Var operator()(Tape& tape, const PackedSequences& packed, Generator* noise = nullptr) const;
};

}  // namespace unroll::models
