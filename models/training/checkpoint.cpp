#include "models/training/checkpoint.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/data/json.h"

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
  const json at = parse_json(metadata.at(kCheckpoint));
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

json data_of(const RunIdentity& identity) {
  return {{"units", identity.units}, {"digest", fmt::format("{:016x}", identity.digest)}};
}

// What was asked for, by the words of the command line; what was learned from data is none of it.
json settings_of(const json& options, const Configuration& configuration) {
  json settings = options;
  const json all = models::to_json(configuration);
  for (const auto& [name, value] : all.items())
    if (!value.is_array()) settings[name] = value;
  return settings;
}

// "--split [0.8,0.2]", or "no --split"
std::string option(const json& settings, const std::string& name) {
  if (!settings.contains(name)) return "no --" + name;
  const json& value = settings[name];
  return fmt::format("--{} {}", name, value.is_string() ? value.get<std::string>() : value.dump());
}

void expect_same(const ModelFile& file, const json& training, const RunIdentity& identity) {
  const auto reject = [&](const std::string& run, const std::string& came) {
    file.reject(fmt::format("is of a run {}, and --resume came with {}; needed the same", run, came));
  };
  const json saved = settings_of(training.at("options"), file.card().configuration),
             wanted = settings_of(to_json(identity.options), identity.card.configuration);
  json either = saved;
  either.update(wanted);
  for (const auto& [name, unused] : either.items())
    if (option(saved, name) != option(wanted, name))
      reject("with " + option(saved, name), option(wanted, name));
  for (const auto& [name, list] : identity.card.lists) {
    const auto it = file.card().lists.find(name);
    if (it == file.card().lists.end() || it->second.size() != list.size())
      reject(fmt::format("whose list '{}' has {} entries", name,
                         it == file.card().lists.end() ? 0 : it->second.size()),
             fmt::format("{}", list.size()));
  }
  if (training.at("data") != data_of(identity))
    reject("on the data " + training.at("data").dump(), data_of(identity).dump());
  const nn::Metadata metadata = to_metadata(identity.card);
  for (const auto& [name, text] : metadata)
    if (const auto it = file.metadata().find(name); it == file.metadata().end() || it->second != text)
      reject(fmt::format("with another '{}'", name), "its own");
}

}  // namespace

void write_run(const std::string& path, const RunIdentity& identity, const RunState& state,
               std::span<const nn::Source> best, std::span<const nn::Source> rest) {
  nn::Metadata metadata = to_metadata(identity.card);
  json training = to_json(state.record, Times::none);
  training["options"] = to_json(identity.options);
  training["data"] = data_of(identity);
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
  nn::write_safetensors(path, tensors, metadata, SourceLocation{});
}

std::optional<json> training_of(const ModelFile& file) {
  const auto text = file.metadata().find(kTraining);
  if (text == file.metadata().end()) return {};
  try {
    json training = parse_json(text->second);
    record_from(training);
    (void)training.at("options").get<json::object_t>();
    (void)training.at("finished").get<bool>();
    return training;
  } catch (const std::exception& e) {
    file.reject(fmt::format("has a training state that is not what unroll writes: {}", e.what()));
  }
}

std::optional<SavedRun> read_run(const std::string& path, const RunIdentity& identity) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  const ModelFile file(path, identity.card.kind);
  const auto training = training_of(file);
  if (!training) file.reject("is no file of a training run");
  try {
    expect_same(file, *training, identity);
    SavedRun run{.state = run_from(*training, file.metadata()),
                 .best = {file.tensors().begin(), file.tensors().end()},
                 .rest = {}};
    if (run.state.finished) return run;
    if (run.state.noise.size() != static_cast<std::size_t>(identity.options.threads))
      file.reject(fmt::format("has {} random states; needed one for each thread, {}", run.state.noise.size(),
                              identity.options.threads));
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
