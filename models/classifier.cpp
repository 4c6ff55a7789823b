#include "models/classifier.h"

namespace unroll::models {

namespace {

constexpr const char* kKind = "text classifier";

}  // namespace

TextClassifier::TextClassifier(Index vocabulary, const ClassifierOptions& options, Generator& generator)
    : words(vocabulary, options.net.embed, generator),
      encoder(options.net.embed, options.net, generator),
      pooling(options.net.pool, encoder.width(), generator),
      head(encoder.width(), options.classes, generator, {.hidden = {}, .dropout = options.net.dropout}),
      dropout{options.net.dropout} {}

Var TextClassifier::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                               Generator* noise) const {
  const nn::Sequence xs{dropout(words(tape, packed), noise), &layout};
  return head(encoder(xs, pooling, noise), noise);
}

ModelCard card_of(const ClassifierOptions& options, const Vocabulary& vocabulary) {
  ModelCard card{.kind = kKind,
                 .configuration = {{"classes", options.classes}},
                 .lists = {{"vocabulary", vocabulary.tokens()}}};
  describe(options.net, card.configuration);
  return card;
}

void save_classifier(const std::string& path, SavedClassifier& classifier) {
  save_model(path, card_of(classifier.options, classifier.vocabulary), parameters(classifier.model));
}

SavedClassifier load_classifier(const std::string& path) {
  const SavedModel saved(path, kKind);
  const ClassifierOptions options{.classes = saved.integer("classes", 1, kLargestExtent),
                                  .net = read_net(saved)};
  Generator unused;
  SavedClassifier result{options, saved.vocabulary(),
                         TextClassifier(saved.vocabulary().size(), options, unused)};
  saved.fill(parameters(result.model));
  return result;
}

namespace {
ops::Layout layout_of(std::span<const std::span<const int>> texts) {
  std::vector<int> lengths;
  for (const auto& text : texts) lengths.push_back(static_cast<int>(text.size()));
  return ops::Layout(lengths);
}
}  // namespace

PackedTexts::PackedTexts(std::span<const std::span<const int>> texts) : layout(layout_of(texts)) {
  std::vector<int> items;
  for (const auto& text : texts) items.insert(items.end(), text.begin(), text.end());
  ids = layout.pack<int>(items);
}

}  // namespace unroll::models
