// What comes next? Characters, a stack of LSTMs whose state goes on from window to window, and a distribution
// over the next character.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/vocabulary.h"
#include "nn/cells.h"
#include "nn/layers.h"
#include "nn/recurrent.h"

namespace unroll::models {

struct LanguageModelOptions {
  Index embedding = 64;  // numbers a character
  Index hidden = 128;    // units a layer
  Index layers = 2;
  double dropout = 0.1;  // between layers and before the output
};

struct LanguageModel {
  nn::Embedding characters;
  nn::Stack<nn::Unidirectional<nn::Lstm>> recurrent;
  nn::Linear output;
  nn::Dropout dropout;

  LanguageModel(Index vocabulary, const LanguageModelOptions& options, Generator& generator);
  /// Character ids in packed order to rows [N, hidden], from the state in `carry`, which is replaced by the
  /// state after them. Dropout is applied only with a generator.
  Var operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout, nn::Carry& carry,
                 Generator* noise = nullptr) const;
  /// Mean cross entropy of what comes next, in nats a character.
  Var loss(Var rows, std::span<const int> targets) const;
  /// Logits [N, vocabulary].
  Var logits(Var rows) const { return output(rows); }
  void members(Members& m) { m("characters", characters), m("recurrent", recurrent), m("output", output); }
};

/// A language model with its vocabulary.
struct SavedLanguageModel {
  LanguageModelOptions options;
  Vocabulary vocabulary;
  LanguageModel model;
};
void save_language_model(const std::string& path, SavedLanguageModel& saved);
/// Throws Error, naming the file, if it is no character language model.
SavedLanguageModel load_language_model(const std::string& path);

/// The unknown character's token: nothing that one code point could be.
inline constexpr const char* kUnknownCharacter = "<unknown>";
/// Ids of the code points of well-formed UTF-8.
std::vector<int> character_ids(std::string_view text, const Vocabulary& vocabulary);
Vocabulary character_vocabulary(std::string_view text);

/// `length` characters that go on from `prompt`, each drawn from softmax(logits / temperature); temperature 0
/// takes the most likely one. Throws Error for an empty prompt and a negative or infinite temperature.
std::string continue_text(const SavedLanguageModel& saved, std::string_view prompt, Index length,
                          double temperature, Generator& generator);

}  // namespace unroll::models

namespace unroll {
using models::LanguageModel;
using models::LanguageModelOptions;
}  // namespace unroll
