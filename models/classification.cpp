#include "models/classification.h"

#include <numeric>

#include "models/batches.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr BatchSize kEvaluationBatch{256, 0};

// Every `stride`-th text of a batch from `first` on: a share with as many long and short texts as the others.
struct Shard {
  Shard(const LabelledTexts& data, std::span<const int> batch, int first, int stride) {
    for (auto i = static_cast<std::size_t>(first); i < batch.size(); i += static_cast<std::size_t>(stride)) {
      const auto text = static_cast<std::size_t>(batch[i]);
      texts.emplace_back(data.texts[text]);
      labels.push_back(data.labels[text]);
    }
  }
  std::vector<std::span<const int>> texts;
  std::vector<int> labels;
};

Index correct(std::span<const int> predicted, std::span<const int> labels) {
  return std::inner_product(predicted.begin(), predicted.end(), labels.begin(), Index{0}, std::plus<>(),
                            std::equal_to<>());
}

}  // namespace

std::vector<int> LabelledTexts::lengths() const {
  std::vector<int> result;
  for (const auto& text : texts) result.push_back(static_cast<int>(text.size()));
  return result;
}

Index LabelledTexts::words() const {
  Index sum = 0;
  for (const auto& text : texts) sum += static_cast<Index>(text.size());
  return sum;
}

ClassifierScore evaluate(const TextClassifier& model, const LabelledTexts& data, Workers& workers) {
  const auto batches = sorted_batches(data.lengths(), kEvaluationBatch);
  std::vector<double> losses(batches.size());
  ClassifierScore score;
  score.predicted.resize(data.size());
  workers.each([&](Worker& worker) {
    for (auto b = static_cast<std::size_t>(worker.index); b < batches.size();
         b += static_cast<std::size_t>(workers.size())) {
      const Shard shard(data, batches[b], 0, 1);
      const PackedTexts packed(shard.texts);
      worker.tape.clear();
      const Var logits = model(worker.tape, packed.ids, packed.layout);
      losses[b] = ops::cross_entropy(logits, shard.labels, {.reduction = ops::Reduction::sum}).item();
      const std::vector<int> predicted = ops::argmax_rows(logits);
      for (std::size_t i = 0; i < predicted.size(); ++i)
        score.predicted[static_cast<std::size_t>(batches[b][i])] = predicted[i];
    }
  });
  const auto count = static_cast<double>(std::max<std::size_t>(data.size(), 1));
  score.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / count;
  score.accuracy = static_cast<double>(correct(score.predicted, data.labels)) / count;
  return score;
}

std::vector<Measure> measures(const ClassifierScore& score) {
  return {
      {.name = "accuracy", .value = score.accuracy, .form = Measure::Form::percent, .larger_is_better = true},
      {.name = "loss", .value = score.loss, .shown = false}};
}

Index ClassificationTask::begin_epoch(Generator& order) {
  batches_ = shuffled_batches(training_.lengths(), {batch_, 0}, order);
  return static_cast<Index>(batches_.size());
}

Tally ClassificationTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int>& texts = batches_[static_cast<std::size_t>(batch)];
  const Shard shard(training_, texts, piece.index, piece.count);
  if (shard.texts.empty()) return {};
  const PackedTexts packed(shard.texts);
  const Var logits = classifier_.model(worker.tape, packed.ids, packed.layout, &noise);
  const Var loss = ops::cross_entropy(logits, shard.labels, {.reduction = ops::Reduction::sum});
  worker.tape.backward(loss / static_cast<double>(texts.size()), worker.gradients);
  const auto count = static_cast<Index>(shard.texts.size());
  return {.loss = loss.item(),
          .weight = static_cast<double>(count),
          .correct = correct(ops::argmax_rows(logits), shard.labels),
          .answers = count,
          .units = packed.layout.rows()};
}

std::vector<Measure> ClassificationTask::validate(Workers& workers) const {
  return measures(evaluate(classifier_.model, validation_, workers));
}

}  // namespace unroll::models
