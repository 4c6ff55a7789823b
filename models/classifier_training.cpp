#include "models/classifier_training.h"

#include <fmt/format.h>

#include <numeric>

#include "models/batches.h"
#include "models/snapshot.h"
#include "nn/gradients.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"
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

// Sums over texts.
struct Totals {
  double loss = 0;
  Index correct = 0, texts = 0, words = 0;
  void add(const Totals& other) {
    loss += other.loss;
    correct += other.correct;
    texts += other.texts;
    words += other.words;
  }
  double mean_loss() const { return loss / static_cast<double>(texts); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(texts); }
};

// One worker's part of a training step: the gradient of its share of the batch's mean loss.
Totals step(const TextClassifier& model, const Shard& shard, std::size_t batch, Worker& worker,
            Generator& noise) {
  if (shard.texts.empty()) return {};
  const PackedTexts packed(shard.texts);
  const Var logits = model(worker.tape, packed.ids, packed.layout, &noise);
  const Var loss = ops::cross_entropy(logits, shard.labels, {.reduction = ops::Reduction::sum});
  worker.tape.backward(loss / static_cast<double>(batch), worker.gradients);
  return {loss.item(), correct(ops::argmax_rows(logits), shard.labels),
          static_cast<Index>(shard.texts.size()), packed.layout.rows()};
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

namespace {

// What a training run carries from epoch to epoch.
struct Run {
  TextClassifier& model;
  const LabelledTexts& data;
  Workers& workers;
  Progress& progress;
  Optimiser optimiser;
  Schedule schedule;
  double clip;
  std::vector<Generator> noise;  // of each worker
  Index words = 0;               // so far

  Totals epoch(const std::vector<std::vector<int>>& batches, const std::string& title);
};

Totals Run::epoch(const std::vector<std::vector<int>>& batches, const std::string& title) {
  Totals epoch;
  std::vector<Totals> parts(static_cast<std::size_t>(workers.size()));
  for (const std::vector<int>& batch : batches) {
    Gradients& gradients = workers.run([&](Worker& worker) {
      const auto i = static_cast<std::size_t>(worker.index);
      const Shard shard(data, batch, worker.index, workers.size());
      parts[i] = step(model, shard, batch.size(), worker, noise[i]);
    });
    clip_by_global_norm(gradients, clip);
    optimiser.set_factor(schedule(optimiser.steps()));
    optimiser.step(gradients);
    for (const Totals& part : parts) {
      epoch.add(part);
      words += part.words;
    }
    progress.update(title, words, epoch.mean_loss(), epoch.accuracy());
  }
  return epoch;
}

}  // namespace

std::vector<ClassifierEpoch> train(TextClassifier& model, const LabelledTexts& training,
                                   const LabelledTexts& validation, const ClassifierTraining& options,
                                   Workers& workers, Progress& progress,
                                   const std::function<void(const ClassifierEpoch&)>& report) {
  Generator order(options.seed), noise = order.split();
  const std::vector<int> lengths = training.lengths();
  const auto steps =
      (static_cast<Index>(training.size()) + options.batch - 1) / options.batch * options.epochs;
  Run run{.model = model,
          .data = training,
          .workers = workers,
          .progress = progress,
          .optimiser = Optimiser(parameters(model), Adam{.learning_rate = options.learning_rate}),
          .schedule = Schedule::cosine(steps, 0.05),
          .clip = options.clip,
          .noise = {}};
  for (int i = 0; i < workers.size(); ++i) run.noise.push_back(noise.split());
  Snapshot best(parameters(model));
  double best_accuracy = -1;
  std::vector<ClassifierEpoch> epochs;
  for (int e = 1; e <= options.epochs; ++e) {
    const auto batches = shuffled_batches(lengths, {options.batch, 0}, order);
    const Totals passed = run.epoch(batches, fmt::format("epoch {}/{}", e, options.epochs));
    const ClassifierScore score = evaluate(model, validation, workers);
    epochs.push_back({.epoch = e,
                      .loss = passed.mean_loss(),
                      .accuracy = passed.accuracy(),
                      .validation_loss = score.loss,
                      .validation_accuracy = score.accuracy,
                      .seconds = progress.seconds()});
    report(epochs.back());
    if (score.accuracy > best_accuracy) {
      best_accuracy = score.accuracy;
      best.take();
    }
  }
  best.restore();
  return epochs;
}

}  // namespace unroll::models
