// Looking into a model at work: the report of a batch that it learns from (autograd/inspect/report.h) with
// everything on. What `unroll inspect` and --inspect write.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "autograd/inspect/history.h"
#include "autograd/inspect/report.h"
#include "models/training.h"

namespace unroll::models {

/// The report of a batch, the `number`-th of an epoch, from 1, arranged by `seed`; for 0, that of the first
/// few with the longest sequences. It is learned from as in training, dropout included, by one worker and
/// without an update; also(tape, recorder) is called while the tape holds the pass. Throws Error if there are
/// not so many.
using AlsoInspect = std::function<void(const Tape& tape, const inspect::Recorder& recorder)>;
nlohmann::json inspect_batch(const detail::TaskCalls& task, Index number, std::uint64_t seed,
                             const inspect::About& about, const AlsoInspect& also = {});

/// The report of a run while it goes on: of every so many batches, as the first worker saw its share, with
/// the history of the run; in the end, of a batch of the model that was chosen.
class Inspection : public TrainingObserver {
 public:
  /// Writes to options.inspect. `task` must live as long.
  Inspection(const detail::TaskCalls& task, const TrainingOptions& options);

  void before_step(std::int64_t step, Workers& workers) override;
  void before_update(const Update& update, Workers& workers) override;
  void after_update(Workers& workers) override;
  /// A batch gave what is not finite; the recorder has seen the pass in which that was born.
  void failed(const inspect::Recorder& recorder, Workers& workers);
  /// When the run has ended.
  void finish(std::uint64_t seed);

 private:
  inspect::About about(std::int64_t step, Workers& workers) const;

  const detail::TaskCalls& task_;
  std::string file_, model_;
  std::int64_t every_, step_ = 0;
  std::string clipped_;  // what clipping did to the gradients of the step
  inspect::History history_;
  std::optional<inspect::Recorder> recorder_;  // of a batch that is reported
};

}  // namespace unroll::models
