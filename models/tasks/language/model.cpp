#include "models/tasks/language/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/data/text.h"
#include "nn/initialise.h"

namespace unroll::models {

using autograd::fail;

LanguageModel::LanguageModel(Index vocabulary, const LanguageModelOptions& options, Generator& generator)
    : tokens(vocabulary, options.net.embed, generator),
      recurrent(options.net.embed, options.net, generator, options.tied ? options.net.embed : 0),
      bias("bias", Shape{vocabulary}),
      dropout(options.net.dropping()) {
  if (options.net.bidirectional)
    fail("language model", "a bidirectional net came; needed one that does not see what comes next");
  if (options.tied) return;
  weight.emplace("weight", Shape{recurrent.width(), vocabulary});
  initialise::glorot_uniform(*weight, generator);
}

Var LanguageModel::operator()(Tape& tape, std::span<const int> packed, const ops::Layout& layout,
                              const nn::Carry& from, nn::Carry& to, Generator* noise) const {
  const auto scope = enter(tape, *this, "");
  const nn::PackedSequence xs = dropout(nn::PackedSequence{tokens(tape, packed), &layout}, noise);
  return dropout(recurrent(xs, from, to, noise), noise).rows;
}

Var LanguageModel::loss(Var rows, std::span<const int> targets) const {
  const auto scope = enter(rows.tape(), *this, "");
  return weight
             ? ops::linear_cross_entropy(rows, *weight, bias, targets)
             : ops::linear_cross_entropy(rows, tokens.weight, bias, targets, {}, ops::WeightLayout::out_in);
}

Var LanguageModel::logits(Var rows) const {
  const auto scope = enter(rows.tape(), *this, "");
  if (weight) return ops::affine(rows, *weight, bias);
  return ops::matmul(rows, tokens.weight, ops::Transpose::no, ops::Transpose::yes) + bias;
}

namespace {

// Of softmax(logits / temperature) among the `top` most likely, by inverting its distribution function; never
// the unknown token.
int draw(std::span<const float> logits, const Sampling& sampling, Generator& generator) {
  std::vector<int> ids(logits.size() - 1);
  std::iota(ids.begin(), ids.end(), Vocabulary::kUnknown + 1);
  auto logit = [&](int id) { return static_cast<double>(logits[static_cast<std::size_t>(id)]); };
  auto more_likely = [&](int a, int b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; };
  const double best = logit(*std::ranges::min_element(ids, more_likely));
  if (sampling.temperature == 0) return *std::ranges::min_element(ids, more_likely);
  if (sampling.top > 0 && sampling.top < static_cast<Index>(ids.size())) {
    std::nth_element(ids.begin(), ids.begin() + (sampling.top - 1), ids.end(), more_likely);
    ids.resize(static_cast<std::size_t>(sampling.top));
    std::ranges::sort(ids);
  }
  std::vector<double> sums;
  double total = 0;
  for (const int id : ids) sums.push_back(total += std::exp((logit(id) - best) / sampling.temperature));
  const auto drawn = std::upper_bound(sums.begin(), sums.end() - 1, generator.uniform() * total);
  return ids[static_cast<std::size_t>(drawn - sums.begin())];
}

}  // namespace

std::string continue_text(const SavedLanguageModel& saved, std::string_view prompt, const Sampling& sampling,
                          Generator& generator) {
  check_utf8(prompt, "the prompt");
  std::vector<int> ids = token_ids(prompt, saved.options.tokens, saved.vocabulary);
  if (ids.empty()) fail("sample", "a prompt without a token came; needed at least one");
  if (!(sampling.temperature >= 0) || std::isinf(sampling.temperature))
    fail("sample", fmt::format("a temperature of {} came; needed 0 or more", sampling.temperature));
  if (saved.vocabulary.size() < 2) fail("sample", "the model knows no token; needed one to draw");
  std::vector<int> drawn;
  Tape tape;
  nn::Carry carry;
  for (Index i = 0; i < sampling.length; ++i) {
    tape.clear();
    const auto layout = ops::Layout::uniform(1, static_cast<Index>(ids.size()));
    const Var rows = saved.net(tape, ids, layout, carry);
    const Tensor logits = saved.net.logits(tape.rows(rows, rows.rows() - 1, 1)).tensor();
    ids = {draw(logits.span<float>(), sampling, generator)};
    drawn.push_back(ids[0]);
  }
  return text_of(drawn, saved.options.tokens, saved.vocabulary);
}

}  // namespace unroll::models
