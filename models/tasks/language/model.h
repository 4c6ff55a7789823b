// What comes next? Characters or words, a recurrent net whose state goes on from window to window, and a
// distribution over the next token.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/corpus.h"
#include "models/tasks/encoder.h"
#include "models/training/saved.h"
#include "ops/losses.h"

namespace unroll::models {

struct LanguageModelOptions {
  Tokenisation tokens;
  NetOptions net{.cell = CellKind::lstm, .embed = 64, .layers = 2, .dropout = 0.1};
  bool tied = false;  // Press and Wolf 2017; the last layer has as many units as the embedding then

  template <class F>
  void settings(F&& each) {
    each("tied", tied, kYesOrNo, "the output's weights are the embedding's");
  }
};

struct LanguageModel {
  nn::Embedding tokens;
  Encoder recurrent;
  std::optional<Parameter> weight;  // [hidden, vocabulary]; none if tied
  Parameter bias;                   // [vocabulary]
  nn::Dropout dropout;              // on the embedding and before the output

  LanguageModel(Index vocabulary, const LanguageModelOptions& options, Generator& generator);
  /// Token ids in packed order to rows [N, hidden], from the state in `from`, leaving the state after them in
  /// `to`, which may be the same. Dropout is applied only with a generator.
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout, const nn::Carry& from,
                 nn::Carry& to, Generator* noise = nullptr) const;
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout, nn::Carry& carry) const {
    return (*this)(tape, packed, layout, carry, carry);
  }
  /// Mean cross entropy of what comes next, in nats a token.
  Var loss(Var rows, std::span<const int> targets) const;
  /// Logits [N, vocabulary].
  Var logits(Var rows) const;
  void members(Members& m) {
    m("tokens", tokens), m("recurrent", recurrent), m("output.weight", weight), m("output.bias", bias);
  }
};

struct AboutLanguageModel {
  static constexpr const char* kind = "language model";
  LanguageModelOptions options;
  Vocabulary vocabulary;

  template <class F>
  void contents(F&& each) {
    options.tokens.settings(each);
    options.settings(each);
    without(options.net, {"bidirectional", "pool"}).settings(each);
    each("vocabulary", vocabulary);
  }
  LanguageModel make(Generator& generator) const {
    return LanguageModel(vocabulary.size(), options, generator);
  }
};
using SavedLanguageModel = Saved<AboutLanguageModel>;

struct Sampling {
  Index length = 500;        // tokens to draw
  double temperature = 0.8;  // each from softmax(logits / temperature); 0 takes the most likely one
  Index top = 0;             // among so many of the most likely ones; 0 for all
};
/// Text that goes on from `prompt`; the unknown token is never drawn. Throws Error for an empty prompt and a
/// negative or infinite temperature.
std::string continue_text(const SavedLanguageModel& saved, std::string_view prompt, const Sampling& sampling,
                          Generator& generator);

}  // namespace unroll::models

namespace unroll {
using models::LanguageModel;
using models::LanguageModelOptions;
}  // namespace unroll
