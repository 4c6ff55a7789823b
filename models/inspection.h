// Looking into a model at work: the report of a batch that it learns from (autograd/inspect/report.h), with
// everything on. What `unroll inspect` and --inspect write.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "autograd/inspect/history.h"
#include "autograd/inspect/report.h"
#include "models/training.h"

namespace unroll::models {

namespace detail {
nlohmann::json inspect_batch(const TaskCalls& task, Index number, Generator& random,
                             const std::string& title);
}

/// The report of a batch, the `number`-th of an epoch, from 1. It is learned from as in training, dropout
/// included, by one worker and without an update. Throws Error if there are not so many.
template <TrainingTask T>
nlohmann::json inspect_batch(T& task, Index number, Generator& random, const std::string& title) {
  return detail::inspect_batch(detail::calls_of(task), number, random, title);
}

/// The report of a run while it goes on: of every so many batches, as the first worker saw its share, with
/// the history of the run; and in the end of the model that was chosen.
class Inspection {
 public:
  /// Writes to options.inspect. `task` must live as long.
  Inspection(const detail::TaskCalls& task, const TrainingOptions& options);

  // Around each batch, in this order:
  void begin(std::int64_t batch, const std::string& title, Worker& first);
  void learned(const Tally& first, const Gradients& all);
  void clipped(const inspect::TrainingStep& step, const Gradients& all);
  void updated();
  /// When the run has ended; `random` arranges the batch that is looked at.
  void finish(Generator random, const std::string& title);

 private:
  void write(nlohmann::json report) const;

  const detail::TaskCalls& task_;
  std::string file_;
  std::int64_t every_, batch_ = 0;
  std::string title_;
  inspect::History history_;
  std::optional<inspect::Recorder> recorder_;  // of a batch that is looked at
  std::string report_;                         // of it
};

}  // namespace unroll::models
