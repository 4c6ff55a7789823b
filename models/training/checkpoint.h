// A run that can be cut off at any moment. The file is the model's own, with the best parameters so far under
// their names, so that it can be used while the training goes on; until the end it also holds, under names
// that begin with "checkpoint.", all that the rest of the run depends on.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/training/options.h"
#include "models/training/task.h"

namespace unroll::models {

/// Over the batches of an epoch so far.
struct EpochSums {
  Tally tally;
  double gradient = 0;  // global norms, before clipping
};

/// Where a run is, between two batches.
struct RunState {
  TrainingRecord record;
  bool finished = false;  // then the rest is void
  int epoch = 1;
  Index batch = 0;
  std::uint64_t order = 0;           // state of the generator before the epoch was arranged
  std::vector<std::uint64_t> noise;  // of each worker
  EpochSums sums;
  double seconds = 0;
};

/// What makes a run the one that it is: who goes on with it needs the same.
struct RunIdentity {
  const ModelCard& card;
  const TrainingOptions& options;
  Index units;           // in an epoch
  std::uint64_t digest;  // of the data
};

/// What a model file says about the run that made it: "options", the record, and whether it is "finished".
/// Nothing if it was not made by a run. Throws Error if it is not what write_run() writes.
std::optional<nlohmann::json> training_of(const ModelFile& file);

/// `best`: the tensors that are saved as the model's; `rest`: "parameters.X", "optimiser.X", "schedule.X",
/// "task.X", for a run that goes on.
void write_run(const std::string& path, const RunIdentity& identity, const RunState& state,
               std::span<const nn::Source> best, std::span<const nn::Source> rest);

/// What write_run() wrote. Nothing if there is no such file. Throws Error if the file is of another model, or
/// of a run with other options, vocabularies or data: it says which.
struct SavedRun {
  RunState state;
  std::vector<NamedTensor> best, rest;
};
std::optional<SavedRun> read_run(const std::string& path, const RunIdentity& identity);

/// Those tensors whose names begin with `prefix`, without it.
std::vector<NamedTensor> with_prefix(std::span<const NamedTensor> tensors, std::string_view prefix);

}  // namespace unroll::models
