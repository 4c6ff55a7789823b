// A net with all that is needed to apply it, and its file. What that is, besides the parameters, is listed
// once; the card of the model, saving and loading follow from the list.
//
//   struct AboutTagger {
//     static constexpr const char* kind = "tagger";
//     TaggerOptions options;
//     LabelSet tags;
//
//     template <class F>
//     void contents(F&& each) {
//       options.settings(each);
//       each("tags", tags);
//     }
//     Tagger make(Generator& generator) const;   a net with its first weights; may throw Error
//   };
//   using SavedTagger = Saved<AboutTagger>;
//
//   save_model("a file", tagger);
//   const SavedTagger tagger = load_model<SavedTagger>("a file");
//
// Contents are settings, lists of texts (std::vector<std::string>, LabelSet, Vocabulary) and a Scaling. A
// list of contents may depend on what it has shown: then those are in the file that the shown ones ask for.
#pragma once
#include <new>
#include <utility>
#include <variant>

#include "models/data/labels.h"
#include "models/data/scaling.h"
#include "models/data/vocabulary.h"
#include "models/training/settings.h"
#include "nn/module.h"
#include "ops/random.h"

namespace unroll::models {

template <class Description>
struct Saved : Description {
  using About = Description;
  decltype(std::declval<const About&>().make(std::declval<Generator&>())) net;  // a module, or one of several

  Saved(About about, Generator& generator) : About(std::move(about)), net(About::make(generator)) {}
  void members(Members& m) {
    if constexpr (requires { net.members(m); })
      net.members(m);
    else
      std::visit([&](auto& one) { one.members(m); }, net);
  }
};

/// Shown contents, says them on a card.
struct CardWriter : SettingsWriter {
  ModelCard& card;

  explicit CardWriter(ModelCard& c) : SettingsWriter(c.configuration), card(c) {}
  using SettingsWriter::operator();
  void operator()(const char* name, const std::vector<std::string>& list) const { card.lists[name] = list; }
  void operator()(const char* name, const LabelSet& labels) const { card.lists[name] = labels.names(); }
  void operator()(const char* name, const Vocabulary& tokens) const { card.lists[name] = tokens.tokens(); }
  void operator()(const Scaling& scaling, std::size_t columns) const;
};

/// Shown contents, reads them from a model file; throws Error, naming the file, for what is missing, empty or
/// may not be.
struct ContentsReader : SettingsReader {
  using SettingsReader::operator();
  using SettingsReader::SettingsReader;
  template <class List>
  void operator()(const char* name, List& list) const {
    const std::vector<std::string>& names = file.list(name);
    if (names.empty()) file.reject(fmt::format("has nothing in its list '{}'; needed some", name));
    try {
      list = List(names);
    } catch (const Error& e) {
      file.reject(fmt::format("has a bad list '{}': {}", name, e.what()));
    }
  }
  /// Of so many columns; 0 for any.
  void operator()(Scaling& scaling, std::size_t columns) const;
};

template <class Model>
ModelCard card_of(const Model& model) {
  using About = typename Model::About;
  ModelCard card{.kind = About::kind, .configuration = {}, .lists = {}};
  const_cast<About&>(static_cast<const About&>(model)).contents(CardWriter(card));  // which only looks
  return card;
}

template <class Model>
void save_model(const std::string& path, Model& model) {
  save_model(path, card_of(model), nn::parameters(model));
}

/// Throws Error, naming the file, if it holds no such model. What make() draws is not wanted.
template <class Model>
Model load_model(const std::string& path) {
  using About = typename Model::About;
  const ModelFile file(path, About::kind);
  About about;
  about.contents(ContentsReader(file));
  auto model = [&] {
    auto unused = ops::Generator::unused();
    try {
      return Model(std::move(about), unused);
    } catch (const std::bad_alloc&) {
      file.reject("describes a net that is larger than the memory; needed a smaller one");
    } catch (const Error& e) {
      file.reject(fmt::format("describes a net that cannot be made: {}", e.what()));
    }
  }();
  file.fill(nn::parameters(model));
  return model;
}

}  // namespace unroll::models
