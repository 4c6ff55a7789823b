// How a model is trained: what the command line can say about it, for every program alike.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/training/record.h"
#include "models/training/settings.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

namespace unroll::models {

struct TrainingOptions {
  int epochs = 10;
  Index batch = 32;  // the task's business
  Index bptt = 0;
  std::string optimizer = "adam";  // as rule_named() says
  double lr = 1e-3;
  double weight_decay = 0;
  std::string schedule = "constant";  // as EpochSchedule says
  double clip = 5;
  int patience = 0;
  std::uint64_t seed = 1;
  int threads = 1;
  std::string out = {};          // file of the model, and of the checkpoint until the run has ended
  bool resume = false;           // go on from the checkpoint in `out`, if there is one
  double checkpoint_every = 60;  // seconds; there is one after each epoch anyway
  std::string plot = {};         // SVG file of the learning curves; empty for none
  std::string inspect = {};  // HTML file of reports on the run (models/training/inspection.h); empty for none
  std::int64_t inspect_every = 500;  // batches
  Configuration others = {};         // what the result depends on besides, such as settings of the task

  template <class F>
  void settings(F&& each) {
    each("epochs", epochs, Range<int>{1, 1000000}, "passes over the training part");
    each("batch", batch, Range<Index>{1, 1 << 20}, "sequences that are learned from at once");
    each("bptt", bptt, Range<Index>{0, 1 << 20}, "time steps that the gradient goes back; 0 for all");
    each("optimizer", optimizer, Text{check_optimizer},
         "sgd, momentum, nesterov, rmsprop, adagrad, adam or adamw");
    each("lr", lr, Range<double>{0, 1000}, "learning rate at the start");
    each("weight-decay", weight_decay, Range<double>{0, 1000}, "L2 regularisation; decoupled for adamw");
    each("schedule", schedule, Text{check_schedule},
         "constant; cosine, down to a twentieth; decay:N:F, after epoch N times F an epoch; "
         "plateau:N:F, times F after N validations without improvement");
    each("clip", clip, Range<double>{0, 1e9}, "largest global norm of the gradient; 0 for any");
    each("patience", patience, Range<int>{0, 1000000},
         "stop after so many epochs without improvement; 0 for never");
  }
  /// `validates`: whether there is something to validate on.
  template <class F>
  void conditions(F&& effect, bool validates = true) const {
    effect({"checkpoint"}, !out.empty(), "no --out", "a file for the checkpoint");
    effect({"patience"}, validates, "nothing to validate on", "--valid, or --data");
    effect({"schedule"}, validates || !schedule.starts_with("plateau"),
           "a plateau and nothing to validate on", "--valid, or --data");
  }

 private:
  static void check_optimizer(const std::string& name);
  static void check_schedule(const std::string& name);
};

/// All that the bits of the result depend on, by the words of the command line.
nlohmann::json to_json(const TrainingOptions& options);

/// "sgd", "momentum" (0.9), "nesterov" (0.9), "rmsprop", "adagrad", "adam" or "adamw"; throws Error for
/// others.
nn::Rule rule_named(const std::string& name, double learning_rate, double weight_decay = 0);

/// Learning rates over time, by name:
///
///   constant
///   cosine           half a cosine down to a twentieth
///   decay:N:F        after epoch N, times F an epoch
///   plateau:N:F      times F after N validations in a row without improvement
class EpochSchedule {
 public:
  /// Throws Error for a name that is none of these.
  explicit EpochSchedule(const std::string& name);
  /// The factor of the learning rate in batch `batch`, from 0, of epoch `epoch`, from 1.
  double factor(int epoch, int epochs, Index batch, Index batches) const;
  /// After each validation.
  void report(const Measure& measure) {
    if (plateau_) plateau_->report(measure.larger_is_better ? -measure.value : measure.value);
  }
  std::vector<NamedTensor> state() const;
  void load_state(std::span<const NamedTensor> state);

 private:
  enum class Curve { constant, cosine, decay, plateau };
  Curve curve_ = Curve::constant;
  int after_ = 0;
  double times_ = 1;
  std::optional<nn::Plateau> plateau_;
};

}  // namespace unroll::models

namespace unroll {
using models::TrainingOptions;
}
