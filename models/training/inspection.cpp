#include "models/training/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "autograd/inspect/page/page.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

constexpr Index kTried = 8;  // batches, for one with long sequences

// Learns from a batch, from 1, of an epoch that begins anew; watch(tape) lives meanwhile.
template <class Watch, class Done>
void learn_from(const AnyTask& task, Index number, const TrainingOptions& options, Watch watch, Done done) {
  Generator random(options.seed);
  const Index batches = task.begin_epoch(random);
  if (number > batches)
    autograd::fail("inspect", fmt::format("batch {} came; the data have {} of this size", number, batches));
  Generator noise = random.split();
  Workers one(1);
  one[0].tape.truncate(options.bptt);
  one.run([&](Worker& worker) {
    const auto watching = watch(worker.tape);
    done(worker, task.learn(number - 1, {}, worker, noise), watching);
  });
}

Index longest_of_first(const AnyTask& task, const TrainingOptions& options) {
  Generator random(options.seed);
  const Index batches = task.begin_epoch(random);
  Index longest = 1;
  std::size_t most = 0;
  for (Index b = 1; b <= std::min(kTried, batches); ++b)
    learn_from(
        task, b, options, [](Tape&) { return 0; },
        [&](const Worker& worker, const Tally&, int) {
          if (worker.tape.nodes().size() <= most) return;
          most = worker.tape.nodes().size();
          longest = b;
        });
  return longest;
}

}  // namespace

nlohmann::json inspect_batch(const AnyTask& task, Index number, const TrainingOptions& options,
                             const inspect::About& about, const AlsoInspect& also) {
  if (number == 0) number = longest_of_first(task, options);
  nlohmann::json report;
  inspect::Watching watching = inspect::everything;
  watching.spans = also != nullptr;
  learn_from(
      task, number, options, [&](Tape& tape) { return std::make_unique<inspect::Recorder>(tape, watching); },
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

Inspection::Inspection(const AnyTask& task, const TrainingOptions& options,
                       std::function<void(const std::string&)> note)
    : task_(task),
      options_(options),
      note_(std::move(note)),
      model_(options.out.empty() ? task.card.kind : options.out),
      history_(task.parameters) {}

bool Inspection::write(const nlohmann::json& report) const {
  try {
    inspect::write_page(options_.inspect, report);
    return true;
  } catch (const Error& e) {
    note_(e.what());
    return false;
  }
}

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
  if (step % options_.inspect_every == 0)
    recorder_.emplace(workers[0].tape, inspect::Watching{.jacobians = true});
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
  write(recorder_->report_of(about(step_, workers)));
  recorder_.reset();
}

bool Inspection::failed(const inspect::Recorder& recorder, Workers& workers) {
  clipped_.clear();
  return write(recorder.report_of(about(step_, workers)));
}

void Inspection::finish() {
  if (write(inspect_batch(task_, 0, options_, {.title = model_, .history = &history_})))
    note_(fmt::format("{} shows a batch of the model, and the run", options_.inspect));
}

}  // namespace unroll::models
