#include "models/language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/model_file.h"
#include "models/text.h"
#include "ops/losses.h"

namespace unroll::models {

using autograd::fail;

namespace {

constexpr const char* kKind = "character language model";
constexpr Index kLargest = 16384;  // extents beyond this come from a damaged file

nn::Stack<nn::Unidirectional<nn::Lstm>> make_stack(const LanguageModelOptions& options,
                                                   Generator& generator) {
  nn::Stack<nn::Unidirectional<nn::Lstm>> stack;
  stack.dropout = options.dropout;
  for (Index i = 0; i < options.layers; ++i)
    stack.layers.push_back(
        {nn::Lstm(i == 0 ? options.embedding : options.hidden, options.hidden, generator)});
  return stack;
}

}  // namespace

LanguageModel::LanguageModel(Index vocabulary, const LanguageModelOptions& options, Generator& generator)
    : characters(vocabulary, options.embedding, generator),
      recurrent(make_stack(options, generator)),
      output(options.hidden, vocabulary, generator),
      dropout{options.dropout} {}

Var LanguageModel::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                              nn::Carry& carry, Generator* noise) const {
  const nn::Sequence xs{characters(tape, packed), &layout};
  return dropout(recurrent(xs, carry, noise).outputs.rows, noise);
}

Var LanguageModel::loss(Var rows, std::span<const int> targets) const {
  return ops::linear_cross_entropy(rows, output.weight, output.bias, targets);
}

void save_language_model(const std::string& path, SavedLanguageModel& saved) {
  const LanguageModelOptions& o = saved.options;
  save_model(path, kKind,
             {{"embedding", o.embedding}, {"hidden", o.hidden}, {"layers", o.layers}, {"dropout", o.dropout}},
             saved.vocabulary, parameters(saved.model));
}

SavedLanguageModel load_language_model(const std::string& path) {
  const SavedModel file(path, kKind);
  const LanguageModelOptions options{.embedding = file.integer("embedding", 1, kLargest),
                                     .hidden = file.integer("hidden", 1, kLargest),
                                     .layers = file.integer("layers", 1, 64),
                                     .dropout = file.real("dropout", 0, 1)};
  Generator unused;
  SavedLanguageModel saved{options, file.vocabulary(),
                           LanguageModel(file.vocabulary().size(), options, unused)};
  file.fill(parameters(saved.model));
  return saved;
}

std::vector<int> character_ids(std::string_view text, const Vocabulary& vocabulary) {
  std::vector<int> ids;
  ids.reserve(text.size());
  each_code_point(text, [&](std::string_view point) { ids.push_back(vocabulary.id(point)); });
  return ids;
}

Vocabulary character_vocabulary(std::string_view text) {
  TokenCounts counts;
  each_code_point(text, [&](std::string_view point) { counts.add(point); });
  return Vocabulary(counts, kUnknownCharacter, {});
}

namespace {

// Of softmax(logits / temperature), by inverting its distribution function; never the unknown character.
int draw(std::span<const float> logits, double temperature, Generator& generator) {
  const auto first = logits.begin() + Vocabulary::kUnknown + 1;
  const auto best = std::max_element(first, logits.end());
  if (temperature == 0) return static_cast<int>(best - logits.begin());
  std::vector<double> sums;
  double total = 0;
  for (auto it = first; it != logits.end(); ++it)
    sums.push_back(total += std::exp((static_cast<double>(*it) - *best) / temperature));
  const auto drawn = std::upper_bound(sums.begin(), sums.end() - 1, generator.uniform() * total);
  return static_cast<int>(drawn - sums.begin()) + Vocabulary::kUnknown + 1;
}

}  // namespace

std::string continue_text(const SavedLanguageModel& saved, std::string_view prompt, Index length,
                          double temperature, Generator& generator) {
  check_utf8(prompt, "the prompt");
  if (prompt.empty()) fail("sample", "an empty prompt came; needed at least one character");
  if (!(temperature >= 0) || std::isinf(temperature))
    fail("sample", fmt::format("a temperature of {} came; needed 0 or more", temperature));
  if (saved.vocabulary.size() < 2) fail("sample", "the model knows no character; needed one to draw");
  std::vector<int> ids = character_ids(prompt, saved.vocabulary);
  std::string text;
  Tape tape;
  nn::Carry carry;
  for (Index i = 0; i < length; ++i) {
    tape.clear();
    const auto layout = ops::Layout::uniform(1, static_cast<Index>(ids.size()));
    const Var rows = saved.model(tape, ids, layout, carry);
    const Tensor logits = saved.model.logits(tape.rows(rows, rows.rows() - 1, 1)).tensor();
    ids = {draw(logits.span<float>(), temperature, generator)};
    text += saved.vocabulary.token(ids[0]);
  }
  return text;
}

}  // namespace unroll::models
