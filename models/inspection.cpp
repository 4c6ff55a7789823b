#include "models/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "autograd/inspect/page.h"
#include "models/progress.h"

namespace unroll::models {

namespace {

constexpr Index kTried = 8;  // batches, for one with long sequences

// Learns from a batch, from 1, of an epoch that begins anew; watch(tape) lives meanwhile.
template <class Watch, class Done>
void learn_from(const detail::TaskCalls& task, Index number, std::uint64_t seed, Watch watch, Done done) {
  Generator random(seed);
  const Index batches = task.begin_epoch(random);
  if (number > batches)
    autograd::fail("inspect", fmt::format("batch {} came; the data have {} of this size", number, batches));
  Generator noise = random.split();
  Workers one(1);
  one.run([&](Worker& worker) {
    const auto watching = watch(worker.tape);
    done(worker, task.learn(number - 1, {}, worker, noise), watching);
  });
}

Index longest_of_first(const detail::TaskCalls& task, std::uint64_t seed) {
  Generator random(seed);
  const Index batches = task.begin_epoch(random);
  Index longest = 1;
  std::size_t most = 0;
  for (Index b = 1; b <= std::min(kTried, batches); ++b)
    learn_from(
        task, b, seed, [](Tape&) { return 0; },
        [&](const Worker& worker, const Tally&, int) {
          if (worker.tape.nodes().size() <= most) return;
          most = worker.tape.nodes().size();
          longest = b;
        });
  return longest;
}

}  // namespace

nlohmann::json inspect_batch(const detail::TaskCalls& task, Index number, std::uint64_t seed,
                             const inspect::About& about, const AlsoInspect& also) {
  if (number == 0) number = longest_of_first(task, seed);
  nlohmann::json report;
  inspect::Watching watching = inspect::everything;
  watching.spans = also != nullptr;
  learn_from(
      task, number, seed, [&](Tape& tape) { return std::make_unique<inspect::Recorder>(tape, watching); },
      [&](const Worker& worker, const Tally& tally, const auto& recorder) {
        inspect::About all = about;
        all.loss = tally.mean_loss();
        all.parameters = task.parameters;
        all.gradients = &worker.gradients;
        report = recorder->report_of(all);
        if (also) also(worker.tape, *recorder);
      });
  return report;
}

Inspection::Inspection(const detail::TaskCalls& task, const TrainingOptions& options)
    : task_(task),
      file_(options.inspect),
      model_(options.out.empty() ? task.card.kind : options.out),
      every_(options.inspect_every),
      history_(task.parameters) {}

// The gradients of the first worker are the sum of all.
inspect::About Inspection::about(std::int64_t step, Workers& workers) const {
  std::string note;
  if (workers.size() > 1)
    note = fmt::format(
        "Gradients of parameters are of the whole batch{}; all else is one of {} workers' share{}.",
        clipped_.empty() ? "" : ", " + clipped_, workers.size(), clipped_.empty() ? "" : ", before clipping");
  else if (!clipped_.empty())
    note = fmt::format("Gradients of parameters are {}; those of states are as they were before.", clipped_);
  return {.title = fmt::format("{} in batch {} of its training", model_, with_commas(step + 1)),
          .parameters = task_.parameters,
          .gradients = &workers[0].gradients,
          .history = &history_,
          .note = note};
}

void Inspection::before_step(std::int64_t step, Workers& workers) {
  step_ = step;
  clipped_.clear();
  if (step % every_ == 0) recorder_.emplace(workers[0].tape, inspect::Watching{.jacobians = true});
}

void Inspection::before_update(const Update& update, Workers&) {
  clipped_ = update.clip > 0 && update.norm > update.clip
                 ? fmt::format("clipped from a norm of {:.3g} to {:g}", update.norm, update.clip)
                 : "";
  if (!history_.due(update.step)) return;
  inspect::TrainingStep what{.loss = update.loss, .norm = update.norm};
  if (update.clip > 0) what.clipped_norm = std::min(update.norm, update.clip);
  history_.before_update(update.step, what, update.gradients);
}

void Inspection::after_update(Workers& workers) {
  history_.after_update();
  if (!recorder_) return;
  recorder_->report(file_, about(step_, workers), Where{});
  recorder_.reset();
}

void Inspection::failed(const inspect::Recorder& recorder, Workers& workers) {
  clipped_.clear();
  recorder.report(file_, about(step_, workers), Where{});
}

void Inspection::finish(std::uint64_t seed) {
  inspect::About about{.title = model_, .history = &history_};
  inspect::write_page(file_, inspect_batch(task_, 0, seed, about));
}

}  // namespace unroll::models
