#include "models/tasks/language/task.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/data/digest.h"

namespace unroll::models {

namespace {

constexpr Index kEvaluationStreams = 16, kEvaluationSteps = 128;
constexpr Index kShortestStream = 4096;  // tokens: what a zero state costs at its start must not count
constexpr int kEvaluationGroups = 4;     // of streams that are read together, whatever the number of workers

// Sum of the losses of some streams over the whole text.
double read_through(const LanguageModel& model, const TextStreams& text, Share streams, Tape& tape) {
  nn::Carry carry;
  Window window;
  double sum = 0;
  for (Index w = 0; w < text.windows() && streams.size() > 0; ++w) {
    tape.clear();
    const auto silent = tape.no_gradient();
    text.read(w, streams.begin, streams.size(), window);
    const auto layout = ops::Layout::uniform(window.streams, window.steps);
    sum += model.loss(model(tape, window.inputs, layout, carry), window.targets).item() *
           static_cast<double>(window.targets.size());
  }
  return sum;
}

}  // namespace

double evaluate(const LanguageModel& model, std::span<const int> text, Workers& workers, Index streams) {
  if (streams == 0)
    streams = std::clamp<Index>(static_cast<Index>(text.size()) / kShortestStream, 1, kEvaluationStreams);
  const TextStreams cut(text, streams, kEvaluationSteps, SourceLocation{});
  std::vector<double> sums(kEvaluationGroups);
  workers.each([&](Worker& worker) {
    for (int g = worker.index; g < kEvaluationGroups; g += workers.size())
      sums[static_cast<std::size_t>(g)] =
          read_through(model, cut, share_of(streams, g, kEvaluationGroups), worker.tape);
  });
  double sum = 0;
  for (double s : sums) sum += s;
  return finite(sum / static_cast<double>(cut.predictions()), "lm");
}

std::vector<Measure> measures(double loss, Level level) {
  std::vector<Measure> list = {{.name = "loss", .value = loss},
                               {.name = "perplexity", .value = ops::perplexity(loss)}};
  if (level == Level::character)
    list.push_back({.name = "bits per character", .value = ops::bits_per_character(loss)});
  return list;
}

LanguageTask::LanguageTask(SavedLanguageModel& saved, std::span<const int> training,
                           std::span<const int> validation, const TrainingOptions& run,
                           const LanguageTaskOptions& options)
    : saved_(saved),
      training_(training),
      validation_(validation),
      text_(training, run.batch, run.bptt, SourceLocation{}),
      options_(options),
      readers_(static_cast<std::size_t>(run.batch)) {}

std::uint64_t LanguageTask::digest() const { return digest_of(training_, validation_); }

Index LanguageTask::begin_epoch(Generator&) {
  for (Reader& reader : readers_) {
    reader.after.clear();
    reader.last = -1;
  }
  return text_.windows();
}

Tally LanguageTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const Share streams = share_of(text_.streams(), piece.index, piece.count);
  if (streams.size() == 0) return {};
  auto& [before, after, last, window] = readers_[static_cast<std::size_t>(streams.begin)];
  if (batch != last) std::swap(before, after);
  last = batch;
  text_.read(batch, streams.begin, streams.size(), window);
  const auto layout = ops::Layout::uniform(window.streams, window.steps);
  const LanguageModel& model = saved_.net;
  const Var mean =
      model.loss(model(worker.tape, window.inputs, layout, before, after, &noise), window.targets);
  double factor = static_cast<double>(streams.size()) / static_cast<double>(text_.streams());
  if (options_.loss == LossOver::streams) factor *= static_cast<double>(window.steps);
  worker.tape.backward(mean * factor, worker.gradients);
  const auto count = static_cast<double>(window.targets.size());
  return {.loss = mean.item() * count, .weight = count, .units = layout.rows()};
}

std::vector<Measure> LanguageTask::validate(Workers& workers) const {
  if (validation_.empty()) return {};
  return measures(evaluate(saved_.net, validation_, workers), saved_.options.tokens.level);
}

std::vector<NamedTensor> LanguageTask::state() {
  std::vector<NamedTensor> state;
  for (std::size_t r = 0; r < readers_.size(); ++r)
    for (std::size_t i = 0; i < readers_[r].after.tensors().size(); ++i)
      state.push_back({fmt::format("carry.{}.{}", r, i), readers_[r].after.tensors()[i]});
  return state;
}

void LanguageTask::load_state(std::span<const NamedTensor> state) {
  std::size_t found = 0;
  for (std::size_t r = 0; r < readers_.size(); ++r) {
    readers_[r].last = -1;
    std::vector<Tensor>& tensors = readers_[r].after.tensors();
    tensors.clear();
    for (const NamedTensor& t : state)
      if (t.name == fmt::format("carry.{}.{}", r, tensors.size())) {
        tensors.push_back(t.tensor);
        ++found;
      }
  }
  if (found != state.size())
    autograd::fail("resume",
                   fmt::format("{} carried states came; needed those of up to {} streams, by number",
                               state.size(), readers_.size()));
}

}  // namespace unroll::models
