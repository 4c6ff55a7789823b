// What the training loop asks of a task, and what it tells those who look on.
//
//   struct MyTask {
//     std::vector<NamedParameter> parameters();
//     ModelCard card() const;                        what goes into the file beside them
//     const char* unit() const;                      "words": what progress counts
//     Index units() const;                           in an epoch
//     Index begin_epoch(Generator& order);           arranges the batches; how many there are
//     Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise);
//                                                    records the loss on worker.tape and calls backward
//     std::vector<Measure> validate(Workers& workers);   the first one chooses the model; may be empty
//     std::uint64_t digest() const;                  optional: of the data (models/data/digest.h), so that
//                                                    nobody goes on with others
//     std::vector<NamedTensor> state();              optional: what learn() carries from batch to batch,
//     void load_state(std::span<const NamedTensor> state);   put back after begin_epoch
//   };
//
// A batch that gave a NaN is learned from once more, to find where it was born: what learn() carries must
// then be what it was the first time.
// learn() takes its random numbers from `noise`, which is the piece's own, begin_epoch from `order`, and
// neither from anywhere else: then a run is a function of the task, the options and the number of threads.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/training/model_file.h"
#include "models/training/record.h"
#include "models/training/workers.h"
#include "ops/random.h"

namespace unroll::models {

/// Sums over what was learned from.
struct Tally {
  double loss = 0, weight = 0;     // the mean loss is loss / weight
  Index correct = 0, answers = 0;  // their ratio is the accuracy, for tasks that have one
  Index units = 0;                 // for progress
  void add(const Tally& other);
  double mean_loss() const { return loss / (weight > 0 ? weight : 1); }
  std::optional<double> accuracy() const;
};

/// The share of a batch that one worker learns from.
struct Piece {
  int index = 0, count = 1;
};

template <class T>
concept TrainingTask = requires(T& task, Generator& generator, Worker& worker, Workers& workers) {
  { task.parameters() } -> std::convertible_to<std::vector<NamedParameter>>;
  { task.card() } -> std::convertible_to<ModelCard>;
  { task.unit() } -> std::convertible_to<const char*>;
  { task.units() } -> std::convertible_to<Index>;
  { task.begin_epoch(generator) } -> std::convertible_to<Index>;
  { task.learn(Index{}, Piece{}, worker, generator) } -> std::same_as<Tally>;
  { task.validate(workers) } -> std::same_as<std::vector<Measure>>;
};

/// What a net answers when it is used or measured. Throws Error "[op] ..." where some of it is not finite.
void expect_finite(Var answers, const char* op);
/// The same of a mean or a sum over answers.
double finite(double figure, const char* op);

/// What an optimiser is about to do.
struct Update {
  std::int64_t step;  // from 0 on
  double loss;        // mean over the batch
  double norm;        // of the gradient before clipping
  double clip;        // largest norm that is left; 0 for any
  const Gradients& gradients;
};

/// Whoever wants to see a run, step by step.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  /// The batch is about to be learned from.
  virtual void before_step(std::int64_t /*step*/, Workers&) {}
  /// The gradients have been clipped; the workers' tapes still hold the pass.
  virtual void before_update(const Update&, Workers&) {}
  virtual void after_update(Workers&) {}
};

/// Any task, as the loop sees it: a handful of calls a batch.
struct AnyTask {
  std::vector<NamedParameter> parameters;
  ModelCard card;
  const char* unit;
  Index units;
  std::uint64_t digest = 0;
  std::function<Index(Generator&)> begin_epoch;
  std::function<Tally(Index, Piece, Worker&, Generator&)> learn;
  std::function<std::vector<Measure>(Workers&)> validate;
  std::function<std::vector<NamedTensor>()> state;
  std::function<void(std::span<const NamedTensor>)> load_state;
};
/// Refers to the task.
template <TrainingTask T>
AnyTask any_task(T& task) {
  AnyTask any{.parameters = task.parameters(),
              .card = task.card(),
              .unit = task.unit(),
              .units = task.units(),
              .begin_epoch = [&](Generator& order) { return task.begin_epoch(order); },
              .learn = [&](Index batch, Piece piece, Worker& worker,
                           Generator& noise) { return task.learn(batch, piece, worker, noise); },
              .validate = [&](Workers& all) { return task.validate(all); },
              .state = [] { return std::vector<NamedTensor>(); },
              .load_state = [](std::span<const NamedTensor>) {}};
  if constexpr (requires { task.digest(); }) any.digest = task.digest();
  if constexpr (requires { task.state(); }) {
    any.state = [&] { return task.state(); };
    any.load_state = [&](std::span<const NamedTensor> state) { task.load_state(state); };
  }
  return any;
}

}  // namespace unroll::models

namespace unroll {
using models::Piece;
using models::Tally;
using models::TrainingObserver;
}  // namespace unroll
