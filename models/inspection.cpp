#include "models/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/atomic_file.h"
#include "autograd/inspect/page.h"
#include "models/progress.h"

namespace unroll::models {

nlohmann::json inspect_batch(const detail::TaskCalls& task, Index number, std::uint64_t seed,
                             const inspect::About& about) {
  Generator random(seed);
  const Index batches = task.begin_epoch(random);
  if (number > batches)
    autograd::fail("inspect", fmt::format("batch {} came; the data have {} of this size", number, batches));
  Generator noise = random.split();
  Workers one(1);
  nlohmann::json report;
  one.run([&](Worker& worker) {
    inspect::Recorder recorder(worker.tape, inspect::everything);
    inspect::About all = about;
    all.loss = task.learn(number - 1, {}, worker, noise).mean_loss();
    all.parameters = task.parameters;
    all.gradients = &worker.gradients;
    report = recorder.report_of(all);
  });
  return report;
}

Inspection::Inspection(const detail::TaskCalls& task, const TrainingOptions& options)
    : task_(task),
      file_(options.inspect),
      model_(options.out.empty() ? task.card.kind : options.out),
      every_(options.inspect_every),
      history_(task.parameters) {}

inspect::About Inspection::about(std::int64_t step, const Gradients* gradients) const {
  return {.title = fmt::format("{} in batch {} of its training", model_, with_commas(step + 1)),
          .parameters = task_.parameters,
          .gradients = gradients,
          .history = &history_};
}

void Inspection::before_step(std::int64_t step, Workers& workers) {
  step_ = step;
  if (step % every_ == 0) recorder_.emplace(workers[0].tape, inspect::Watching{.jacobians = true});
}

void Inspection::before_update(const Update& update, Workers&) {
  if (!history_.due(update.step)) return;
  inspect::TrainingStep what{.loss = update.loss, .norm = update.norm};
  if (update.clip > 0) what.clipped_norm = std::min(update.norm, update.clip);
  history_.before_update(update.step, what, update.gradients);
}

void Inspection::after_update(Workers& workers) {
  history_.after_update();
  if (!recorder_) return;
  recorder_->report(file_, about(step_, &workers[0].gradients), Where{});
  recorder_.reset();
}

void Inspection::failed(const inspect::Origin& origin, const Worker& worker) {
  inspect::About all = about(step_, &worker.gradients);
  all.origin = &origin;
  inspect::report(worker.tape, file_, all, Where{});
}

void Inspection::finish(std::uint64_t seed) {
  inspect::About about{.title = model_, .history = &history_};
  autograd::replace_file(file_, inspect::page_of(inspect_batch(task_, 1, seed, about)), Where{});
}

}  // namespace unroll::models
