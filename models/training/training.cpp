#include "models/training/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>

#include "models/training/inspection.h"
#include "models/training/interruption.h"
#include "models/training/learner.h"
#include "models/training/learning_curves.h"
#include "models/training/origin.h"
#include "nn/gradients.h"

namespace unroll::models {

using autograd::fail;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A run, in the order in which its functions are called.
class Run {
 public:
  Run(const AnyTask& task, const TrainingOptions& options, Workers& workers,
      const Progress::Settings& settings, TrainingObserver* observer);
  TrainingRecord run();

 private:
  bool begin();  // false if there is nothing left to do
  void learn_epochs();
  void learn_epoch(const Interruption& interruption);
  void step();
  Gradients& learn();
  void end_epoch();
  bool goes_on() const { return learner_.at.epoch <= options_.epochs && !learner_.at.record.stopped_early; }
  // Ends the run, between two batches.
  [[noreturn]] void stop(int signal) const;
  // Throws Error if `value` is not finite, with the operation that made the first such number in again():
  // what gave it, done once more.
  void check_finite(double value, const std::string& what, const std::function<void()>& again);
  void save(bool finished);
  void plot(bool at_end);
  RunIdentity identity() const { return {task_.card, options_, task_.units, task_.digest}; }
  // Over all parts of a resumed run.
  double seconds() const { return learner_.at.seconds + seconds_since(start_); }
  Index units_done() const { return (learner_.at.epoch - 1) * task_.units + learner_.at.sums.tally.units; }

  const AnyTask& task_;
  TrainingOptions options_;
  Workers& workers_;
  Progress::Settings settings_;
  std::vector<TrainingObserver*> observers_;
  std::optional<Inspection> inspection_;  // one of them
  std::optional<Progress> progress_;
  Learner learner_;
  Index batches_ = 0;                    // of this epoch
  std::vector<Tally> tallies_;           // of each worker, of the last batch
  std::vector<Generator> noise_before_;  // of each worker, before it
  Clock::time_point start_ = Clock::now(), saved_ = start_;
  bool has_checkpoint_ = false;
};

Run::Run(const AnyTask& task, const TrainingOptions& options, Workers& workers,
         const Progress::Settings& settings, TrainingObserver* observer)
    : task_(task),
      options_(options),
      workers_(workers),
      settings_(settings),
      learner_(task, options, workers.size()),
      tallies_(static_cast<std::size_t>(workers.size())) {
  options_.threads = workers.size();
  settings_.unit = task.unit;
  for (int i = 0; i < workers.size(); ++i) workers[i].tape.truncate(options.bptt);
  if (observer) observers_.push_back(observer);
  if (!options.inspect.empty())
    observers_.push_back(
        &inspection_.emplace(task, options, [this](const std::string& line) { progress_->note(line); }));
}

TrainingRecord Run::run() {
  const bool unfinished = begin();
  if (unfinished) learn_epochs();
  learner_.take_best();
  if (unfinished) save(true);
  plot(true);
  if (inspection_) inspection_->finish();
  return learner_.at.record;
}

bool Run::begin() {
  if (options_.resume && options_.out.empty())
    fail("resume", "--resume came without --out; needed the file to go on from");
  has_checkpoint_ = options_.resume && learner_.load(options_.out, identity());
  const RunState& at = learner_.at;
  progress_.emplace(task_.units * options_.epochs, settings_, units_done());
  if (at.epoch > 1 || at.batch > 0)
    progress_->note(
        fmt::format("going on in epoch {} after {} batches, from {}", at.epoch, at.batch, options_.out));
  if (at.finished) progress_->note(fmt::format("{} is of a run that has ended", options_.out));
  start_ = saved_ = Clock::now();
  return !at.finished;
}

void Run::learn_epochs() {
  const Interruption interruption;
  while (goes_on()) {
    batches_ = learner_.begin_epoch(options_.out);
    learn_epoch(interruption);
    end_epoch();
    if (!goes_on()) break;
    save(false);
    plot(false);
    if (interruption.signal() != 0) stop(interruption.signal());
  }
}

void Run::learn_epoch(const Interruption& interruption) {
  while (learner_.at.batch < batches_) {
    step();
    if (learner_.at.batch == batches_) break;
    const int signal = interruption.signal();
    if (signal != 0 || seconds_since(saved_) >= options_.checkpoint_every) save(false);
    if (signal != 0) stop(signal);
  }
}

void Run::step() {
  RunState& at = learner_.at;
  Optimiser& optimiser = learner_.optimiser;
  noise_before_ = learner_.noise;
  const auto again = [&] {
    learner_.noise = noise_before_;
    learn();
  };
  for (TrainingObserver* o : observers_) o->before_step(optimiser.steps(), workers_);
  Gradients& gradients = learn();
  Tally batch;
  for (const Tally& tally : tallies_) {
    check_finite(tally.loss, "loss", again);
    batch.add(tally);
    at.sums.tally.add(tally);
  }
  const double norm = options_.clip > 0 ? clip_by_global_norm(gradients, options_.clip, SourceLocation{})
                                        : global_norm(gradients);
  check_finite(norm, "gradient norm", again);
  at.sums.gradient += norm;
  optimiser.set_factor(learner_.schedule.factor(at.epoch, options_.epochs, at.batch, batches_));
  const Update update{optimiser.steps(), batch.mean_loss(), norm, options_.clip, gradients};
  for (TrainingObserver* o : observers_) o->before_update(update, workers_);
  optimiser.step(gradients);
  for (TrainingObserver* o : observers_) o->after_update(workers_);
  ++at.batch;
  progress_->update(fmt::format("epoch {}/{}", at.epoch, options_.epochs), units_done(),
                    at.sums.tally.mean_loss(), at.sums.tally.accuracy());
}

Gradients& Run::learn() {
  const auto pieces = static_cast<int>(std::min<Index>(workers_.size(), options_.batch));
  return workers_.run(
      [&](Worker& worker) {
        const auto i = static_cast<std::size_t>(worker.index);
        tallies_[i] = task_.learn(learner_.at.batch, {worker.index, pieces}, worker, learner_.noise[i]);
      },
      pieces);
}

void Run::end_epoch() {
  const RunState& at = learner_.at;
  Epoch epoch{.number = at.epoch,
              .loss = at.sums.tally.mean_loss(),
              .gradient = at.sums.gradient / static_cast<double>(batches_),
              .learning_rate = learner_.optimiser.learning_rate(),
              .accuracy = at.sums.tally.accuracy(),
              .validation = task_.validate(workers_),
              .seconds = 0};
  for (const Measure& m : epoch.validation)
    check_finite(m.value, "validation " + m.name, [&] { task_.validate(workers_); });
  epoch.seconds = seconds();
  const std::string line = in_words(epoch, options_.epochs);
  learner_.end_epoch(std::move(epoch), options_.patience);
  progress_->note(line);
}

void Run::stop(int signal) const {
  const auto& [epoch, batch] = std::pair(learner_.at.epoch, learner_.at.batch);
  const std::string place = batch > 0
                                ? fmt::format("in epoch {} after batch {} of {}", epoch, batch, batches_)
                                : fmt::format("after epoch {}", epoch - 1);
  throw Interrupted(signal, fmt::format("stopped {}; {}", place,
                                        options_.out.empty() ? "without --out nothing of it is kept"
                                                             : "go on with --resume"));
}

void Run::check_finite(double value, const std::string& what, const std::function<void()>& again) {
  if (std::isfinite(value)) return;
  const bool by_batch = learner_.at.batch < batches_;  // otherwise by the validation
  std::string kept;
  const std::string origin = origin_in(workers_, again, [&](const inspect::Recorder& recorder) {
    if (inspection_ && by_batch && inspection_->failed(recorder, workers_))
      kept = fmt::format("; {} shows the batch", options_.inspect);
  });
  const std::string place = by_batch ? fmt::format(", batch {} of {}", learner_.at.batch + 1, batches_) : "";
  if (!options_.out.empty())
    kept += has_checkpoint_ ? fmt::format("; {} is as the last checkpoint left it", options_.out)
                            : fmt::format("; no checkpoint was written to {} before", options_.out);
  fail("training",
       fmt::format("epoch {}{}: a {} of {} came; needed a finite one; {}{}", learner_.at.epoch, place, what,
                   std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value, origin, kept));
}

void Run::save(bool finished) {
  saved_ = Clock::now();
  if (options_.out.empty()) return;
  learner_.save(options_.out, identity(), seconds(), finished);
  has_checkpoint_ = true;
}

// A picture that cannot be written ends no run.
void Run::plot(bool at_end) {
  if (options_.plot.empty()) return;
  try {
    plot_learning_curves(options_.plot, learner_.at.record);
    if (at_end) progress_->note(fmt::format("{} shows the learning curves", options_.plot));
  } catch (const Error& e) {
    progress_->note(e.what());
  }
}

}  // namespace

TrainingRecord train(const AnyTask& task, const TrainingOptions& options, Workers& workers,
                     const Progress::Settings& progress, TrainingObserver* observer) {
  return Run(task, options, workers, progress, observer).run();
}
}  // namespace unroll::models
