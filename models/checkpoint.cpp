#include "models/checkpoint.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace unroll::models {

using nlohmann::json;

namespace {

constexpr const char* kTraining = "unroll.training";
constexpr const char* kCheckpoint = "unroll.checkpoint";

json to_json(const EpochSums& sums) {
  const Tally& t = sums.tally;
  return {{"loss", t.loss},       {"weight", t.weight}, {"correct", t.correct},
          {"answers", t.answers}, {"units", t.units},   {"gradient", sums.gradient}};
}
EpochSums sums_from(const json& at) {
  return {{.loss = at.at("loss"),
           .weight = at.at("weight"),
           .correct = at.at("correct"),
           .answers = at.at("answers"),
           .units = at.at("units")},
          at.at("gradient")};
}

json position(const RunState& state) {
  return {{"epoch", state.epoch}, {"batch", state.batch},        {"order", state.order},
          {"noise", state.noise}, {"sums", to_json(state.sums)}, {"seconds", state.seconds}};
}

RunState run_from(const json& training, const nn::Metadata& metadata) {
  RunState state;
  state.record = record_from(training);
  state.finished = training.at("finished");
  if (state.finished) return state;
  const json at = json::parse(metadata.at(kCheckpoint));
  state.epoch = at.at("epoch");
  state.batch = at.at("batch");
  state.order = at.at("order");
  state.noise = at.at("noise").get<std::vector<std::uint64_t>>();
  state.sums = sums_from(at.at("sums"));
  state.seconds = at.at("seconds");
  const json times = at.at("epoch_seconds");
  for (std::size_t i = 0; i < state.record.epochs.size(); ++i) state.record.epochs[i].seconds = times.at(i);
  return state;
}

json data_of(const Given& given) {
  return {{"units", given.units}, {"digest", fmt::format("{:016x}", given.digest)}};
}

// "--split [0.8,0.2]", or "no --split"
std::string option(const json& options, const std::string& name) {
  return options.contains(name) ? fmt::format("--{} {}", name, options[name].dump()) : "no --" + name;
}

void expect_same(const SavedModel& file, const json& training, const Given& given) {
  const json &saved = training.at("options"), wanted = to_json(given.options);
  json either = saved;
  either.update(wanted);
  for (const auto& [name, unused] : either.items())
    if (option(saved, name) != option(wanted, name))
      file.reject(fmt::format("is of a run with {}, and --resume came with {}; needed the same",
                              option(saved, name), option(wanted, name)));
  const nn::Metadata metadata = to_metadata(given.card);
  for (const auto& [name, text] : metadata) {
    const auto it = file.metadata().find(name);
    if (it == file.metadata().end() || it->second != text)
      file.reject(fmt::format("is of a run with another '{}': {:.60}...; needed {:.60}...", name,
                              it == file.metadata().end() ? "none" : it->second, text));
  }
  if (training.at("data") != data_of(given))
    file.reject(fmt::format("is of a run on the data {}, and --resume came with {}; needed the same",
                            training.at("data").dump(), data_of(given).dump()));
}

}  // namespace

void write_run(const std::string& path, const Given& given, const RunState& state,
               std::span<const nn::Source> best, std::span<const nn::Source> rest) {
  nn::Metadata metadata = to_metadata(given.card);
  json training = to_json(state.record, Times::none);
  training["options"] = to_json(given.options);
  training["data"] = data_of(given);
  training["finished"] = state.finished;
  metadata[kTraining] = training.dump();
  std::vector<nn::Source> tensors(best.begin(), best.end());
  if (!state.finished) {
    json at = position(state);
    at["epoch_seconds"] = json::array();
    for (const Epoch& e : state.record.epochs) at["epoch_seconds"].push_back(e.seconds);
    metadata[kCheckpoint] = at.dump();
    for (const nn::Source& s : rest) tensors.push_back({kCheckpointPrefix + s.name, s.tensor});
  }
  nn::write_safetensors(path, tensors, metadata, Where{});
}

std::optional<json> training_of(const SavedModel& file) {
  const auto text = file.metadata().find(kTraining);
  if (text == file.metadata().end()) return {};
  try {
    json training = json::parse(text->second);
    record_from(training);
    (void)training.at("options").get<json::object_t>();
    (void)training.at("finished").get<bool>();
    return training;
  } catch (const std::exception& e) {
    file.reject(fmt::format("has a training state that is not what unroll writes: {}", e.what()));
  }
}

std::optional<SavedRun> read_run(const std::string& path, const Given& given) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  const SavedModel file(path, given.card.kind);
  const auto training = training_of(file);
  if (!training) file.reject("is no file of a training run");
  try {
    expect_same(file, *training, given);
    SavedRun run{.state = run_from(*training, file.metadata()),
                 .best = {file.tensors().begin(), file.tensors().end()},
                 .rest = {}};
    if (run.state.finished) return run;
    if (run.state.noise.size() != static_cast<std::size_t>(given.options.threads))
      file.reject(fmt::format("has {} random states; needed one for each of {} threads",
                              run.state.noise.size(), given.options.threads));
    run.rest = with_prefix(file.checkpoint(), kCheckpointPrefix);
    return run;
  } catch (const json::exception& e) {
    file.reject(fmt::format("has a training state that is not what unroll writes: {}", e.what()));
  } catch (const std::out_of_range&) {
    file.reject(fmt::format("has no '{}' in its metadata; needed the checkpoint of a run", kCheckpoint));
  }
}

std::vector<NamedTensor> with_prefix(std::span<const NamedTensor> tensors, std::string_view prefix) {
  std::vector<NamedTensor> found;
  for (const NamedTensor& t : tensors)
    if (t.name.starts_with(prefix)) found.push_back({t.name.substr(prefix.size()), t.tensor});
  return found;
}

}  // namespace unroll::models
