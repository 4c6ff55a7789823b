#include "models/tasks/classify/saved.h"

#include <utility>

namespace unroll::models {

namespace {

std::variant<SequenceClassifier, LinearClassifier> make_net(const ClassifierOptions& options,
                                                            const TextForm& text, Index vocabulary,
                                                            Generator& generator) {
  if (text.ngrams > 0) return LinearClassifier(vocabulary, options, generator);
  return SequenceClassifier::of_tokens(vocabulary, options, generator);
}

// What there is of a net; of n-grams there is none.
template <class Net>
Without<Net> used(Net& net, bool reads_text) {
  return reads_text ? without(net, {}) : without(net, {"embed"});
}

ClassifierOptions with_classes(ClassifierOptions options, const LabelSet& labels) {
  options.classes = labels.size();
  return options;
}

}  // namespace

SavedClassifier::SavedClassifier(const ClassifierOptions& o, LabelSet l, const TextForm& t, Vocabulary v,
                                 Generator& generator)
    : options(with_classes(o, l)),
      labels(std::move(l)),
      text(t),
      vocabulary(std::move(v)),
      net(make_net(options, text, vocabulary.size(), generator)) {}

SavedClassifier::SavedClassifier(const ClassifierOptions& o, LabelSet l, Scaling s, Generator& generator)
    : options(with_classes(o, l)),
      labels(std::move(l)),
      scaling(std::move(s)),
      net(SequenceClassifier::of_numbers(static_cast<Index>(scaling.columns()), options, generator)) {}

Var SavedClassifier::operator()(Tape& tape, const PackedSequences& packed, Generator* noise) const {
  if (!reads_text()) {
    const Var rows = tape.constant(Shape{packed.layout.rows(), packed.columns}, packed.numbers);
    return std::get<SequenceClassifier>(net)(rows, packed.layout, noise);
  }
  return std::visit([&](const auto& model) { return model(tape, packed.ids, packed.layout, noise); }, net);
}

ModelCard card_of(const SavedClassifier& c) {
  ModelCard card{.kind = kClassifier, .configuration = {}, .lists = {{"labels", c.labels.names()}}};
  describe(card.configuration, c.options);
  card.configuration["reads-text"] = c.reads_text();
  if (c.text.ngrams == 0) describe(card.configuration, used(c.options.net, c.reads_text()));
  if (c.reads_text()) {
    card.lists["vocabulary"] = c.vocabulary.tokens();
    describe(card.configuration, c.text);
    card.configuration["ngrams"] = Index{c.text.ngrams};
  } else {
    card.configuration["means"] = c.scaling.means;
    card.configuration["deviations"] = c.scaling.deviations;
  }
  return card;
}

void save_classifier(const std::string& path, SavedClassifier& classifier) {
  save_model(path, card_of(classifier), parameters(classifier));
}

SavedClassifier load_classifier(const std::string& path) {
  const SavedModel saved(path, kClassifier);
  ClassifierOptions options;
  read_settings(saved, options);
  const bool reads_text = saved.flag("reads-text");
  TextForm text;
  if (reads_text) {
    text.ngrams = static_cast<int>(saved.integer("ngrams", 0, kNgrams.most));
    read_settings(saved, text);
  }
  if (text.ngrams == 0) read_settings(saved, used(options.net, reads_text));
  const LabelSet labels(saved.list("labels"));
  if (labels.size() == 0) saved.reject("has no label; needed some");
  if (reads_text)
    return saved.filled([&](Generator& unused) {
      return SavedClassifier(options, labels, text, saved.vocabulary(), unused);
    });
  const Scaling scaling{saved.numbers("means"), saved.numbers("deviations")};
  if (scaling.means.empty() || scaling.means.size() != scaling.deviations.size())
    saved.reject(
        "has a scaling that is not what unroll writes; needed a mean and a deviation for each column");
  return saved.filled([&](Generator& unused) { return SavedClassifier(options, labels, scaling, unused); });
}

}  // namespace unroll::models
