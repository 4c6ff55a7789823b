// The one training loop. A task says what a batch is, how a piece of it is learned from, and how the model is
// measured (models/training/task.h); train() does the rest: epochs, threads, clipping, schedules, early
// stopping with the best model kept, progress, checkpoints, and going on after a crash with the same bits.
//
//   struct MyTask { ... };
//   MyTask task;
//   Workers workers(4);
//   const TrainingRecord record = train(task, {.epochs = 10, .out = "model.safetensors"}, workers);
//
// A run is a function of the task, the options and the number of threads.
#pragma once
#include "models/training/options.h"
#include "models/training/progress.h"
#include "models/training/task.h"

namespace unroll::models {

TrainingRecord train(const AnyTask& task, const TrainingOptions& options, Workers& workers,
                     const Progress::Settings& progress = {}, TrainingObserver* observer = nullptr);

/// Leaves the model as validation liked it best, and as it is in `options.out` if that is given. Throws
/// Error, and leaves the last checkpoint in place, when a loss or gradient is NaN or infinite; the message
/// has the operation that made the first such number (inspect::Origin). Throws Interrupted after the batch,
/// and after a checkpoint, in which SIGINT or SIGTERM came (models/training/interruption.h). A picture that
/// cannot be written does not end a run: it is said.
template <TrainingTask T>
TrainingRecord train(T& task, const TrainingOptions& options, Workers& workers,
                     const Progress::Settings& progress = {}, TrainingObserver* observer = nullptr) {
  return train(any_task(task), options, workers, progress, observer);
}

}  // namespace unroll::models

namespace unroll {
using models::train;
}  // namespace unroll
