#include "models/training/learner.h"

#include <fmt/format.h>

namespace unroll::models {

using autograd::fail;

namespace {

constexpr const char *kParameters = "parameters.", *kOptimiser = "optimiser.", *kSchedule = "schedule.",
                     *kTask = "task.";

std::vector<Tensor> values_of(std::span<const NamedParameter> parameters) {
  std::vector<Tensor> values;
  for (const NamedParameter& p : parameters) values.push_back(p.parameter->value());
  return values;
}

// Only what is better than all before it is; NaN never is.
bool is_better(const Measure& a, const Measure& b) {
  return a.larger_is_better ? a.value > b.value : a.value < b.value;
}

bool improves(const Epoch& epoch, const TrainingRecord& record) {
  return record.best_epoch == 0 || epoch.validation.empty() ||
         is_better(epoch.validation[0], record.best().validation[0]);
}

}  // namespace

Learner::Learner(const AnyTask& t, const TrainingOptions& options, int workers)
    : task(t),
      optimiser(t.parameters, rule_named(options.optimizer, options.lr, options.weight_decay)),
      schedule(options.schedule),
      order(options.seed) {
  Generator of_workers = order.split();
  for (int i = 0; i < workers; ++i) noise.push_back(of_workers.split());
}

Index Learner::begin_epoch(const std::string& path) {
  at.order = order.state();
  const Index batches = task.begin_epoch(order);
  if (batches < 1) fail("training", "an epoch without a batch came; needed data to train on");
  if (at.batch > batches)
    fail("resume", fmt::format("{} is of a run that had {} batches of an epoch behind it; needed at most {}",
                               path, at.batch, batches));
  if (at.batch > 0) task.load_state(task_state);
  return batches;
}

void Learner::end_epoch(Epoch epoch, int patience) {
  if (improves(epoch, at.record)) {
    at.record.best_epoch = at.epoch;
    best = values_of(task.parameters);
  }
  if (!epoch.validation.empty()) schedule.report(epoch.validation[0]);
  at.record.epochs.push_back(std::move(epoch));
  at.record.stopped_early = patience > 0 && at.epoch - at.record.best_epoch >= patience;
  ++at.epoch;
  at.batch = 0;
  at.sums = {};
  at.order = order.state();
}

void Learner::take_best() {
  for (std::size_t i = 0; i < best.size(); ++i) task.parameters[i].parameter->value() = best[i];
}

void Learner::save(const std::string& path, const RunIdentity& identity, double seconds,
                   bool finished) const {
  RunState state = at;
  state.finished = finished;
  state.seconds = seconds;
  for (const Generator& g : noise) state.noise.push_back(g.state());
  std::vector<nn::Source> of_model, rest;
  for (std::size_t i = 0; i < task.parameters.size(); ++i) {
    const auto& [name, p] = task.parameters[i];
    of_model.push_back({name, best.empty() ? &p->value() : &best[i]});
    rest.push_back({kParameters + name, &p->value()});
  }
  const auto of_optimiser = optimiser.state(), of_schedule = schedule.state(),
             of_task = at.batch > 0 ? task.state() : std::vector<NamedTensor>();
  const auto append = [&](const char* prefix, const std::vector<NamedTensor>& tensors) {
    for (const NamedTensor& t : tensors) rest.push_back({prefix + t.name, &t.tensor});
  };
  append(kOptimiser, of_optimiser), append(kSchedule, of_schedule), append(kTask, of_task);
  write_run(path, identity, state, of_model, rest);
}

bool Learner::load(const std::string& path, const RunIdentity& identity) {
  const auto saved = read_run(path, identity);
  if (!saved) return false;
  const auto fill = [&](std::span<const NamedTensor> tensors) {
    std::vector<nn::Destination> into;
    for (const auto& [name, p] : task.parameters) into.push_back({name, &p->value()});
    nn::assign(tensors, into, "resume", path, SourceLocation{});
  };
  at = saved->state;
  fill(saved->best);
  if (at.record.best_epoch > 0) best = values_of(task.parameters);
  if (at.finished) return true;
  fill(with_prefix(saved->rest, kParameters));
  optimiser.load_state(with_prefix(saved->rest, kOptimiser), SourceLocation{});
  schedule.load_state(with_prefix(saved->rest, kSchedule));
  task_state = with_prefix(saved->rest, kTask);
  order = Generator(at.order);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = Generator(at.noise.at(i));
  at.noise.clear();
  return true;
}

}  // namespace unroll::models
