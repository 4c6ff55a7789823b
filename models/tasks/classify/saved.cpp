#include "models/tasks/classify/saved.h"

namespace unroll::models {

AboutClassifier::Net AboutClassifier::make(Generator& generator) const {
  ClassifierOptions with_classes = options;
  with_classes.classes = labels.size();
  if (!reads_text())
    return SequenceClassifier::of_numbers(static_cast<Index>(scaling.columns()), with_classes, generator);
  if (text.ngrams > 0) return LinearClassifier(vocabulary.size(), with_classes, generator);
  return SequenceClassifier::of_tokens(vocabulary.size(), with_classes, generator);
}

Var SavedClassifier::operator()(Tape& tape, const PackedSequences& packed, Generator* noise) const {
  if (!reads_text()) {
    const Var rows = tape.constant(Shape{packed.layout.rows(), packed.columns}, packed.numbers);
    return std::get<SequenceClassifier>(net)(rows, packed.layout, noise);
  }
  return std::visit([&](const auto& model) { return model(tape, packed.ids, packed.layout, noise); }, net);
}

}  // namespace unroll::models
