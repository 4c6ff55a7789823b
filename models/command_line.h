// What the subcommands of `unroll` have in common: one word for one thing, described once.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/net_options.h"
#include "models/training_options.h"
#include "models/training_record.h"

namespace unroll::models {

/// --epochs --batch --optimizer --lr --weight-decay --schedule --clip --patience --seed --threads --out
/// --resume --checkpoint --plot. Defaults are what `options` holds.
void add_training(CLI::App& app, TrainingOptions& options, bool out_required);
/// --cell --embed --hidden --layers --dropout --variational
void add_net(CLI::App& app, NetOptions& options);
void add_bidirectional(CLI::App& app, NetOptions& options);
void add_pool(CLI::App& app, NetOptions& options);
void add_threads(CLI::App& app, int& threads);
void add_seed(CLI::App& app, std::uint64_t& seed);
void add_json(CLI::App& app, bool& json);

/// A number from `least` to `most`, which NaN is not.
CLI::Validator in_range(double least, double most);
/// A file that can be written: new, or a regular one that begins like a file of its kind, as `begins` at byte
/// `offset`. So nobody loses a text to a slip of the hand, nor trains for an hour in vain.
CLI::Validator output_file(std::size_t offset, const char* begins);

/// A subcommand that fills an Options and runs it, unless it has a subcommand itself: run(const Options&).
template <class Options>
struct Command {
  CLI::App& app;
  Options& options;
};
template <class Options>
Command<Options> add_command(CLI::App& parent, const char* name, const char* description,
                             const Options& defaults = {}) {
  CLI::App& app = *parent.add_subcommand(name, description);
  auto options = std::make_shared<Options>(defaults);
  app.callback([options, &app] {
    if (app.get_subcommands().empty()) run(*options);
  });
  return {app, *options};
}

/// Every figure of a training run for --json: the options, the record, the parameters.
nlohmann::json report(const TrainingOptions& options, const ModelCard& card, const TrainingRecord& record,
                      Index parameter_count);

}  // namespace unroll::models
