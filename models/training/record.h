// What came out of a training run, epoch by epoch, for people and as JSON.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

/// One figure of a validation or a test.
struct Measure {
  enum class Form { number, percent };  // percent: a share of 1
  std::string name;                     // "span F1"
  double value = 0;
  Form form = Form::number;
  bool larger_is_better = false;
  bool shown = true;  // in the line of an epoch; reports have all

  std::string key() const;  // "span_f1", in JSON
};
/// "accuracy 84.5 %  perplexity 114.52"
std::string in_words(std::span<const Measure> measures);
nlohmann::json to_json(std::span<const Measure> measures);

struct Epoch {
  int number = 0;            // from 1
  double loss = 0;           // mean over the epoch as it passed
  double gradient = 0;       // mean of the global norms, before clipping
  double learning_rate = 0;  // at its end
  std::optional<double> accuracy;
  std::vector<Measure> validation;
  double seconds = 0;  // of training so far; over all parts of a resumed run
};

/// "epoch 2/8  loss 0.8421  accuracy 75.1 %  validation ...  0:09"
std::string in_words(const Epoch& epoch, int epochs);

struct TrainingRecord {
  std::vector<Epoch> epochs;
  int best_epoch = 0;
  bool stopped_early = false;

  const Epoch& best() const { return epochs.at(static_cast<std::size_t>(best_epoch - 1)); }
  double seconds() const { return epochs.empty() ? 0 : epochs.back().seconds; }
};
/// Every figure. Without the times two runs that computed the same give the same text.
enum class Times { none, all };
nlohmann::json to_json(const TrainingRecord& record, Times times = Times::all);
/// The record again; throws nlohmann::json::exception or Error for JSON that to_json() did not write.
TrainingRecord record_from(const nlohmann::json& object);

}  // namespace unroll::models

namespace unroll {
using models::Measure;
using models::TrainingRecord;
}  // namespace unroll
