#include "models/training/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <list>

#include "autograd/inspect/page/report.h"
#include "models/training/checkpoint.h"
#include "models/training/inspection.h"
#include "models/training/interruption.h"
#include "models/training/learning_curves.h"
#include "nn/gradients.h"

namespace unroll::models {

using autograd::fail;

void Tally::add(const Tally& other) {
  loss += other.loss;
  weight += other.weight;
  correct += other.correct;
  answers += other.answers;
  units += other.units;
}

std::optional<double> Tally::accuracy() const {
  if (answers == 0) return {};
  return static_cast<double>(correct) / static_cast<double>(answers);
}

namespace {

using Clock = std::chrono::steady_clock;

// A measure that is better than all numbers before it; NaN never is.
bool is_better(const Measure& a, const Measure& b) {
  return a.larger_is_better ? a.value > b.value : a.value < b.value;
}

class Run {
 public:
  Run(const AnyTask& task, const TrainingOptions& options, Workers& workers,
      const Progress::Settings& settings, TrainingObserver* observer)
      : task_(task),
        options_(options),
        workers_(workers),
        settings_(settings),
        optimiser_(task.parameters, rule_named(options.optimizer, options.lr, options.weight_decay)),
        schedule_(options.schedule),
        order_(options.seed),
        tallies_(static_cast<std::size_t>(workers.size())) {
    options_.threads = workers.size();
    settings_.unit = task.unit;
    if (observer) observers_.push_back(observer);
    if (!options.inspect.empty())
      observers_.push_back(
          &inspection_.emplace(task, options, [this](const std::string& line) { progress_->note(line); }));
    Generator noise = order_.split();
    for (int i = 0; i < workers.size(); ++i) {
      noise_.push_back(noise.split());
      workers[i].tape.truncate(options.bptt);
    }
  }

  TrainingRecord run();

 private:
  void begin_epoch();
  void step();
  void end_epoch();
  void go_on();
  bool goes_on() const { return epoch_ <= options_.epochs && !record_.stopped_early; }
  // Ends the run, between two batches.
  [[noreturn]] void stop(int signal) const;
  // False if there is no picture.
  bool plot();
  bool improved();
  Gradients& learn();
  // Throws Error if `value` is not finite, with the operation that made the first such number in again():
  // what gave it, done once more.
  void check_finite(double value, const std::string& what, const std::function<void()>& again);
  void save(bool finished);
  bool load();
  void fill(std::span<const NamedTensor> tensors);
  double seconds() const {
    return seconds_before_ + std::chrono::duration<double>(Clock::now() - start_).count();
  }
  std::string title() const { return fmt::format("epoch {}/{}", epoch_, options_.epochs); }
  std::string describe(const Epoch& epoch) const;

  RunIdentity given() const { return {task_.card, options_, task_.units, task_.digest}; }

  const AnyTask& task_;
  TrainingOptions options_;
  Workers& workers_;
  Progress::Settings settings_;
  std::vector<TrainingObserver*> observers_;
  std::optional<Inspection> inspection_;  // one of them
  std::optional<Progress> progress_;
  Optimiser optimiser_;
  EpochSchedule schedule_;
  Generator order_;
  std::vector<Generator> noise_, noise_before_;  // of each worker; before the last batch
  std::vector<Tally> tallies_;                   // of each worker, of the last batch
  std::vector<Tensor> best_;                     // parameters after the best epoch
  TrainingRecord record_;

  int epoch_ = 1;
  Index batch_ = 0, batches_ = 0;
  EpochSums sums_;
  std::uint64_t order_before_ = 0;  // state of order_ before the epoch was arranged
  std::vector<NamedTensor> task_state_;
  Clock::time_point start_ = Clock::now(), saved_ = start_;
  bool has_checkpoint_ = false;
  double seconds_before_ = 0;
};

void Run::fill(std::span<const NamedTensor> tensors) {
  std::vector<nn::Destination> into;
  for (const auto& [name, p] : task_.parameters) into.push_back({name, &p->value()});
  nn::assign(tensors, into, "resume", options_.out, SourceLocation{});
}

void Run::save(bool finished) {
  saved_ = Clock::now();
  if (options_.out.empty()) return;
  RunState state{.record = record_,
                 .finished = finished,
                 .epoch = epoch_,
                 .batch = batch_,
                 .order = order_before_,
                 .noise = {},
                 .sums = sums_,
                 .seconds = seconds()};
  for (const Generator& g : noise_) state.noise.push_back(g.state());
  std::vector<nn::Source> best, rest;
  for (std::size_t i = 0; i < task_.parameters.size(); ++i) {
    const auto& [name, p] = task_.parameters[i];
    best.push_back({name, best_.empty() ? &p->value() : &best_[i]});
    rest.push_back({"parameters." + name, &p->value()});
  }
  const auto optimiser = optimiser_.state(), schedule = schedule_.state(),
             task = batch_ > 0 ? task_.state() : std::vector<NamedTensor>();
  auto append = [&](const char* prefix, const std::vector<NamedTensor>& tensors) {
    for (const NamedTensor& t : tensors) rest.push_back({prefix + t.name, &t.tensor});
  };
  append("optimiser.", optimiser), append("schedule.", schedule), append("task.", task);
  write_run(options_.out, given(), state, best, rest);
  has_checkpoint_ = true;
}

// True if there is something left to do.
bool Run::load() {
  const auto saved = read_run(options_.out, given());
  if (!saved) return true;
  has_checkpoint_ = true;
  const RunState& state = saved->state;
  record_ = state.record;
  fill(saved->best);
  if (record_.best_epoch > 0)
    for (const NamedParameter& p : task_.parameters) best_.push_back(p.parameter->value());
  if (state.finished) return false;
  fill(with_prefix(saved->rest, "parameters."));
  optimiser_.load_state(with_prefix(saved->rest, "optimiser."), SourceLocation{});
  schedule_.load_state(with_prefix(saved->rest, "schedule."));
  task_state_ = with_prefix(saved->rest, "task.");
  epoch_ = state.epoch;
  batch_ = state.batch;
  order_ = Generator(state.order);
  for (std::size_t i = 0; i < noise_.size(); ++i) noise_[i] = Generator(state.noise.at(i));
  sums_ = state.sums;
  seconds_before_ = state.seconds;
  return true;
}

void Run::begin_epoch() {
  order_before_ = order_.state();
  batches_ = task_.begin_epoch(order_);
  if (batches_ < 1) fail("training", "an epoch without a batch came; needed data to train on");
  if (batch_ > batches_)
    fail("resume", fmt::format("{} is of a run that had {} batches of an epoch behind it; needed at most {}",
                               options_.out, batch_, batches_));
  if (batch_ > 0) task_.load_state(task_state_);
}

void Run::check_finite(double value, const std::string& what, const std::function<void()>& again) {
  if (std::isfinite(value)) return;
  std::list<inspect::Recorder> recorders;
  for (int i = 0; i < workers_.size(); ++i)
    recorders.emplace_back(workers_[i].tape, inspect::Watching{.origin = true});
  again();
  const bool by_batch = batch_ < batches_;  // otherwise by the validation
  std::string origin = "every operation made finite numbers, but not their sum", kept;
  const auto found = std::ranges::find_if(recorders, [](const auto& r) { return r.origin().has_value(); });
  if (found != recorders.end()) {
    origin = found->origin()->describe();
    if (inspection_ && by_batch && inspection_->failed(*found, workers_))
      kept = fmt::format("; {} shows the batch", options_.inspect);
  }
  const std::string place = by_batch ? fmt::format(", batch {} of {}", batch_ + 1, batches_) : "";
  if (!options_.out.empty())
    kept += has_checkpoint_ ? fmt::format("; {} is as the last checkpoint left it", options_.out)
                            : fmt::format("; no checkpoint was written to {} before", options_.out);
  fail("training",
       fmt::format("epoch {}{}: a {} of {} came; needed a finite one; {}{}", epoch_, place, what,
                   std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value, origin, kept));
}

Gradients& Run::learn() {
  const auto pieces = static_cast<int>(std::min<Index>(workers_.size(), options_.batch));
  return workers_.run(
      [&](Worker& worker) {
        const auto i = static_cast<std::size_t>(worker.index);
        tallies_[i] = task_.learn(batch_, {worker.index, pieces}, worker, noise_[i]);
      },
      pieces);
}

void Run::step() {
  noise_before_ = noise_;
  const auto again = [&] {
    noise_ = noise_before_;
    learn();
  };
  for (TrainingObserver* o : observers_) o->before_step(optimiser_.steps(), workers_);
  Gradients& gradients = learn();
  Tally batch;
  for (const Tally& tally : tallies_) {
    check_finite(tally.loss, "loss", again);
    batch.add(tally);
    sums_.tally.add(tally);
  }
  const double norm = options_.clip > 0 ? clip_by_global_norm(gradients, options_.clip, SourceLocation{})
                                        : global_norm(gradients);
  check_finite(norm, "gradient norm", again);
  sums_.gradient += norm;
  optimiser_.set_factor(schedule_.factor(epoch_, options_.epochs, batch_, batches_));
  const Update update{optimiser_.steps(), batch.mean_loss(), norm, options_.clip, gradients};
  for (TrainingObserver* o : observers_) o->before_update(update, workers_);
  optimiser_.step(gradients);
  for (TrainingObserver* o : observers_) o->after_update(workers_);
  ++batch_;
  progress_->update(title(), (epoch_ - 1) * task_.units + sums_.tally.units, sums_.tally.mean_loss(),
                    sums_.tally.accuracy());
}

// Whether the last epoch's model is the best so far.
bool Run::improved() {
  const Epoch& last = record_.epochs.back();
  return record_.best_epoch == 0 || last.validation.empty() ||
         is_better(last.validation[0], record_.best().validation[0]);
}

void Run::end_epoch() {
  Epoch epoch{.number = epoch_,
              .loss = sums_.tally.mean_loss(),
              .gradient = sums_.gradient / static_cast<double>(batches_),
              .learning_rate = optimiser_.learning_rate(),
              .accuracy = sums_.tally.accuracy(),
              .validation = task_.validate(workers_),
              .seconds = 0};
  for (const Measure& m : epoch.validation)
    check_finite(m.value, "validation " + m.name, [&] { task_.validate(workers_); });
  epoch.seconds = seconds();
  record_.epochs.push_back(std::move(epoch));
  const Epoch& last = record_.epochs.back();
  if (improved()) {
    record_.best_epoch = epoch_;
    best_.clear();
    for (const NamedParameter& p : task_.parameters) best_.push_back(p.parameter->value());
  }
  if (!last.validation.empty()) schedule_.report(last.validation[0]);
  record_.stopped_early = options_.patience > 0 && epoch_ - record_.best_epoch >= options_.patience;
  progress_->note(describe(last));
  ++epoch_;
  batch_ = 0;
  sums_ = {};
}

std::string Run::describe(const Epoch& epoch) const {
  std::string line = fmt::format("epoch {}/{}  loss {:.4f}", epoch.number, options_.epochs, epoch.loss);
  if (epoch.accuracy) line += fmt::format("  accuracy {:.1f} %", 100 * *epoch.accuracy);
  if (const std::string words = in_words(epoch.validation); !words.empty()) line += "  validation " + words;
  return line + "  " + clock_time(epoch.seconds);
}

void Run::go_on() {
  const Interruption interruption;
  while (goes_on()) {
    begin_epoch();
    while (batch_ < batches_) {
      step();
      if (batch_ == batches_) break;
      const int signal = interruption.signal();
      if (signal != 0 ||
          std::chrono::duration<double>(Clock::now() - saved_).count() >= options_.checkpoint_every)
        save(false);
      if (signal != 0) stop(signal);
    }
    end_epoch();
    order_before_ = order_.state();
    if (!goes_on()) break;
    save(false);
    plot();
    if (interruption.signal() != 0) stop(interruption.signal());
  }
}

TrainingRecord Run::run() {
  if (options_.resume && options_.out.empty())
    fail("resume", "--resume came without --out; needed the file to go on from");
  const bool unfinished = !options_.resume || load();
  progress_.emplace(task_.units * options_.epochs, settings_, (epoch_ - 1) * task_.units + sums_.tally.units);
  if (epoch_ > 1 || batch_ > 0)
    progress_->note(
        fmt::format("going on in epoch {} after {} batches, from {}", epoch_, batch_, options_.out));
  if (!unfinished) progress_->note(fmt::format("{} is of a run that has ended", options_.out));
  start_ = saved_ = Clock::now();
  if (unfinished) go_on();
  for (std::size_t i = 0; i < best_.size(); ++i) task_.parameters[i].parameter->value() = best_[i];
  if (unfinished) save(true);
  if (plot()) progress_->note(fmt::format("{} shows the learning curves", options_.plot));
  if (inspection_) inspection_->finish();
  return record_;
}

void Run::stop(int signal) const {
  const std::string place = batch_ > 0
                                ? fmt::format("in epoch {} after batch {} of {}", epoch_, batch_, batches_)
                                : fmt::format("after epoch {}", epoch_ - 1);
  throw Interrupted(signal, fmt::format("stopped {}; {}", place,
                                        options_.out.empty() ? "without --out nothing of it is kept"
                                                             : "go on with --resume"));
}

bool Run::plot() {
  if (options_.plot.empty()) return false;
  try {
    plot_learning_curves(options_.plot, record_);
    return true;
  } catch (const Error& e) {
    progress_->note(e.what());
    return false;
  }
}

}  // namespace

TrainingRecord train(const AnyTask& task, const TrainingOptions& options, Workers& workers,
                     const Progress::Settings& progress, TrainingObserver* observer) {
  return Run(task, options, workers, progress, observer).run();
}
}  // namespace unroll::models
