// Looking into a model at work: the report of a batch that it learns from (autograd/inspect/page/report.h)
// with everything on. What `unroll inspect` and --inspect write.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "autograd/inspect/page/report.h"
#include "autograd/inspect/watch/history.h"
#include "models/training/options.h"
#include "models/training/task.h"

namespace unroll::models {

/// The report of a batch, the `number`-th of an epoch, from 1, arranged by options.seed; for 0, that of the
/// first few with the longest sequences. It is learned from as in a training with these options, dropout and
/// options.bptt included, by one worker and without an update; also(tape, recorder) is called while the tape
/// holds the pass. Throws Error if there are not so many.
using AlsoInspect = std::function<void(const Tape& tape, const inspect::Recorder& recorder)>;
nlohmann::json inspect_batch(const AnyTask& task, Index number, const TrainingOptions& options,
                             const inspect::About& about, const AlsoInspect& also = {});

/// The report of a run while it goes on: of every so many batches, as the first worker saw its share, with
/// the history of the run; in the end, of a batch of the model that was chosen.
class Inspection : public TrainingObserver {
 public:
  /// Writes to options.inspect; says to `note` what could not be written. `task` and `options` must live as
  /// long.
  Inspection(const AnyTask& task, const TrainingOptions& options,
             std::function<void(const std::string&)> note);

  void before_step(std::int64_t step, Workers& workers) override;
  void before_update(const Update& update, Workers& workers) override;
  void after_update(Workers& workers) override;
  /// A batch gave what is not finite; the recorder has seen the pass in which that was born. False if the
  /// page could not be written.
  bool failed(const inspect::Recorder& recorder, Workers& workers);
  /// When the run has ended.
  void finish();

 private:
  inspect::About about(std::int64_t step, Workers& workers) const;
  bool write(const nlohmann::json& report) const;

  const AnyTask& task_;
  const TrainingOptions& options_;
  std::function<void(const std::string&)> note_;
  std::string model_;
  std::int64_t step_ = 0;
  std::string clipped_;  // what clipping did to the gradients of the step
  inspect::History history_;
  std::optional<inspect::Recorder> recorder_;  // of a batch that is reported
};

}  // namespace unroll::models
