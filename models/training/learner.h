// What a run changes, batch by batch: parameters, optimiser, schedule, random numbers, the best model so far
// and where the run is. A checkpoint is a learner in a file.
#pragma once
#include <string>
#include <vector>

#include "models/training/checkpoint.h"
#include "nn/optimiser.h"

namespace unroll::models {

struct Learner {
  const AnyTask& task;
  Optimiser optimiser;
  EpochSchedule schedule;
  Generator order;                      // of the epochs to come
  std::vector<Generator> noise;         // of each worker
  std::vector<Tensor> best;             // parameters after the best epoch; none before the first
  RunState at;                          // its `noise` and `seconds` only in a file
  std::vector<NamedTensor> task_state;  // of a checkpoint within an epoch, until that has begun

  Learner(const AnyTask& task, const TrainingOptions& options, int workers);

  /// Arranges the batches of the epoch that it is in; how many there are.
  Index begin_epoch(const std::string& path);
  /// Adds what came of an epoch to the record, keeps the model if it is the best so far, and goes on to the
  /// next epoch. `patience` as in TrainingOptions.
  void end_epoch(Epoch epoch, int patience);
  void take_best();

  void save(const std::string& path, const RunIdentity& identity, double seconds, bool finished) const;
  /// False if there is no such file. Throws Error as read_run() does.
  bool load(const std::string& path, const RunIdentity& identity);
};

}  // namespace unroll::models
