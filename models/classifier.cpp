#include "models/classifier.h"

#include <fmt/format.h>

#include "models/model_file.h"

namespace unroll::models {

namespace {

constexpr const char* kKind = "text classifier";
constexpr Index kLargest = 16384;  // extents beyond this come from a damaged file

const char* name_of(nn::Pool pool) {
  switch (pool) {
    case nn::Pool::last:
      return "last";
    case nn::Pool::mean:
      return "mean";
    case nn::Pool::max:
      return "max";
    case nn::Pool::attention:
      break;
  }
  return "attention";
}

nn::Stack<nn::Bidirectional<nn::Gru>> make_encoder(const ClassifierOptions& options, Generator& generator) {
  nn::Stack<nn::Bidirectional<nn::Gru>> encoder;
  encoder.dropout = options.dropout;
  for (Index i = 0; i < options.layers; ++i) {
    const Index in = i == 0 ? options.embedding : 2 * options.hidden;
    nn::Gru forward(in, options.hidden, generator), reverse(in, options.hidden, generator);
    encoder.layers.push_back({std::move(forward), std::move(reverse)});
  }
  return encoder;
}

}  // namespace

TextClassifier::TextClassifier(Index vocabulary, const ClassifierOptions& options, Generator& generator)
    : words(vocabulary, options.embedding, generator),
      encoder(make_encoder(options, generator)),
      pooling(options.pool, 2 * options.hidden, generator),
      head(2 * options.hidden, options.classes, generator, {.hidden = {}, .dropout = options.dropout}),
      dropout{options.dropout} {}

Var TextClassifier::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                               Generator* noise) const {
  const nn::Sequence xs{dropout(words(tape, packed), noise), &layout};
  return head(pooling(encoder(xs, noise)), noise);
}

void save_classifier(const std::string& path, SavedClassifier& classifier) {
  const ClassifierOptions& o = classifier.options;
  save_model(path, kKind,
             {{"classes", o.classes},
              {"embedding", o.embedding},
              {"hidden", o.hidden},
              {"layers", o.layers},
              {"pool", name_of(o.pool)},
              {"dropout", o.dropout}},
             classifier.vocabulary, parameters(classifier.model));
}

SavedClassifier load_classifier(const std::string& path) {
  const SavedModel saved(path, kKind);
  const ClassifierOptions options{.classes = saved.integer("classes", 1, kLargest),
                                  .embedding = saved.integer("embedding", 1, kLargest),
                                  .hidden = saved.integer("hidden", 1, kLargest),
                                  .layers = saved.integer("layers", 1, 64),
                                  .pool = nn::pool_named(saved.text("pool")),
                                  .dropout = saved.real("dropout", 0, 1)};
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
