#include "models/inspection.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "autograd/atomic_file.h"
#include "autograd/inspect/page.h"

namespace unroll::models {

namespace detail {

nlohmann::json inspect_batch(const TaskCalls& task, Index number, Generator& random,
                             const std::string& title) {
  const Index batches = task.begin_epoch(random);
  if (number > batches)
    autograd::fail("inspect", fmt::format("batch {} came; the data have {} of this size", number, batches));
  Generator noise = random.split();
  Workers one(1);
  nlohmann::json report;
  one.run([&](Worker& worker) {
    const inspect::Recorder recorder(worker.tape);
    const Tally tally = task.learn(number - 1, {}, worker, noise);
    report = recorder.report_of({.title = title,
                                 .loss = tally.mean_loss(),
                                 .parameters = task.parameters,
                                 .gradients = &worker.gradients});
  });
  return report;
}

}  // namespace detail

Inspection::Inspection(const detail::TaskCalls& task, const TrainingOptions& options)
    : task_(task),
      file_(options.inspect),
      every_(options.inspect_every),
      history_(task.parameters) {}

void Inspection::begin(std::int64_t batch, const std::string& title, Worker& first) {
  batch_ = batch;
  title_ = title;
  if (batch % every_ == 0) recorder_.emplace(first.tape);
}

void Inspection::learned(const Tally& first, const Gradients& all) {
  if (!recorder_) return;
  report_ = recorder_->report_of({.title = title_,
                                  .loss = first.mean_loss(),
                                  .parameters = task_.parameters,
                                  .gradients = &all});
  recorder_.reset();
}

void Inspection::clipped(const inspect::TrainingStep& step, const Gradients& all) {
  if (history_.due(batch_)) history_.before_update(batch_, step, all);
}

void Inspection::updated() {
  history_.after_update();
  if (!report_.is_null()) write(std::move(report_));
  report_ = nullptr;
}

void Inspection::finish(Generator random, const std::string& title) {
  write(detail::inspect_batch(task_, 1, random, title));
}

void Inspection::write(nlohmann::json report) const {
  inspect::add_history(report, history_);
  autograd::replace_file(file_, inspect::page_of(report), Where{});
}

}  // namespace unroll::models
