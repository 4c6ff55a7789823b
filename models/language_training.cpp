#include "models/language_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "models/batches.h"
#include "models/snapshot.h"
#include "nn/gradients.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr Index kEvaluationStreams = 16, kEvaluationSteps = 128;
constexpr Index kShortestStream = 4096;  // characters: what a zero state costs at its start must not count
constexpr int kEvaluationGroups = 4;     // of streams that are read together, whatever the number of workers

// What one worker keeps from window to window.
struct Reader {
  Share streams;
  nn::Carry carry;
  Generator noise;
  Window window;
  double loss = 0;  // of the last window, its share of the mean
};

std::vector<Reader> readers_of(Index streams, int workers, Generator generator) {
  std::vector<Reader> readers;
  for (int i = 0; i < workers; ++i)
    readers.push_back(
        {.streams = share_of(streams, i, workers), .carry = {}, .noise = generator.split(), .window = {}});
  return readers;
}

// One worker's part of a step: the gradient of its share of the window's mean loss.
void step(const LanguageModel& model, const TextStreams& text, Index w, Worker& worker, Reader& reader) {
  reader.loss = 0;
  if (reader.streams.size() == 0) return;
  text.read(w, reader.streams.begin, reader.streams.size(), reader.window);
  const auto layout = ops::Layout::uniform(reader.window.streams, reader.window.steps);
  const Var rows = model(worker.tape, reader.window.inputs, layout, reader.carry, &reader.noise);
  const double share = static_cast<double>(reader.streams.size()) / static_cast<double>(text.streams());
  const Var loss = model.loss(rows, reader.window.targets) * share;
  worker.tape.backward(loss, worker.gradients);
  reader.loss = loss.item();
}

// Sum of the losses of some streams over the whole text.
double read_through(const LanguageModel& model, const TextStreams& text, Share streams, Tape& tape) {
  nn::Carry carry;
  Window window;
  double sum = 0;
  for (Index w = 0; w < text.windows() && streams.size() > 0; ++w) {
    tape.clear();
    text.read(w, streams.begin, streams.size(), window);
    const auto layout = ops::Layout::uniform(window.streams, window.steps);
    const Var logits = model.logits(model(tape, window.inputs, layout, carry));
    sum += ops::cross_entropy(logits, window.targets, {.reduction = ops::Reduction::sum}).item();
  }
  return sum;
}

}  // namespace

double evaluate(const LanguageModel& model, std::span<const int> text, Workers& workers) {
  const Index streams =
      std::clamp<Index>(static_cast<Index>(text.size()) / kShortestStream, 1, kEvaluationStreams);
  const TextStreams cut(text, streams, kEvaluationSteps, Where{});
  std::vector<double> sums(kEvaluationGroups);
  workers.each([&](Worker& worker) {
    for (int g = worker.index; g < kEvaluationGroups; g += workers.size())
      sums[static_cast<std::size_t>(g)] =
          read_through(model, cut, share_of(streams, g, kEvaluationGroups), worker.tape);
  });
  double sum = 0;
  for (double s : sums) sum += s;
  return sum / static_cast<double>(cut.predictions());
}

namespace {

// What a training run carries from epoch to epoch.
struct Run {
  const LanguageModel& model;
  const TextStreams& text;
  Workers& workers;
  Progress& progress;
  Optimiser optimiser;
  Schedule schedule;
  double clip;
  std::vector<Reader> readers;
  Index characters = 0;  // so far

  double epoch(const std::string& title);
};

double Run::epoch(const std::string& title) {
  double sum = 0;
  for (Reader& reader : readers) reader.carry.clear();
  for (Index w = 0; w < text.windows(); ++w) {
    Gradients& gradients = workers.run([&](Worker& worker) {
      step(model, text, w, worker, readers[static_cast<std::size_t>(worker.index)]);
    });
    clip_by_global_norm(gradients, clip);
    optimiser.set_factor(schedule(optimiser.steps()));
    optimiser.step(gradients);
    for (const Reader& reader : readers) {
      sum += reader.loss;
      characters += static_cast<Index>(reader.window.inputs.size());
    }
    progress.update(title, characters, sum / static_cast<double>(w + 1));
  }
  return sum / static_cast<double>(text.windows());
}

}  // namespace

std::vector<LanguageEpoch> train(LanguageModel& model, std::span<const int> training,
                                 std::span<const int> validation, const LanguageTraining& options,
                                 Workers& workers, Progress& progress,
                                 const std::function<void(const LanguageEpoch&)>& report) {
  const TextStreams text(training, options.batch, options.steps, Where{});
  Run run{.model = model,
          .text = text,
          .workers = workers,
          .progress = progress,
          .optimiser = Optimiser(parameters(model), Adam{.learning_rate = options.learning_rate}),
          .schedule = Schedule::cosine(text.windows() * options.epochs, 0.02),
          .clip = options.clip,
          .readers = readers_of(options.batch, workers.size(), Generator(options.seed))};
  Snapshot best(parameters(model));
  double lowest = std::numeric_limits<double>::infinity();
  std::vector<LanguageEpoch> epochs;
  for (int e = 1; e <= options.epochs; ++e) {
    const double loss = run.epoch(fmt::format("epoch {}/{}", e, options.epochs));
    const double validation_loss = evaluate(model, validation, workers);
    epochs.push_back(
        {.epoch = e, .loss = loss, .validation_loss = validation_loss, .seconds = progress.seconds()});
    report(epochs.back());
    if (validation_loss < lowest) {
      lowest = validation_loss;
      best.take();
    }
  }
  best.restore();
  return epochs;
}

}  // namespace unroll::models
