#include "models/tasks/classify/net.h"

#include "ops/segment.h"

namespace unroll::models {

SequenceClassifier::SequenceClassifier(Index in, const ClassifierOptions& options, Generator& generator)
    : encoder(in, options.net, generator),
      pooling(options.net.pool, encoder.width(), generator),
      head(encoder.width(), options.classes, generator, {.hidden = {}, .dropout = options.net.dropout}),
      dropout(options.net.dropping()) {}

SequenceClassifier SequenceClassifier::of_tokens(Index vocabulary, const ClassifierOptions& options,
                                                 Generator& g) {
  nn::Embedding tokens(vocabulary, options.net.embed, g);
  SequenceClassifier classifier(options.net.embed, options, g);
  classifier.tokens = std::move(tokens);
  return classifier;
}

SequenceClassifier SequenceClassifier::of_numbers(Index columns, const ClassifierOptions& options,
                                                  Generator& g) {
  return SequenceClassifier(columns, options, g);
}

Var SequenceClassifier::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                                   Generator* noise) const {
  const auto scope = enter(tape, *this, "");
  return (*this)((*tokens)(tape, packed), layout, noise);
}

Var SequenceClassifier::operator()(Var rows, const ops::Layout& layout, Generator* noise) const {
  const auto scope = enter(rows.tape(), *this, "");
  return head(encoder(dropout(nn::PackedSequence{rows, &layout}, noise), pooling, noise), noise);
}

LinearClassifier::LinearClassifier(Index vocabulary, const ClassifierOptions& options, Generator& generator)
    : weights(vocabulary, options.classes, generator, 0), bias("bias", Shape{options.classes}) {}

Var LinearClassifier::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                                 Generator*) const {
  const auto scope = enter(tape, *this, "");
  return ops::segment_sum(weights(tape, packed), layout) + bias;
}

}  // namespace unroll::models
