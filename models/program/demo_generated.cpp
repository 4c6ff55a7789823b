// `unroll demo adding` and `unroll demo copy`: what a net can remember.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/tasks/memory/generated.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

template <class Problem>
struct Demo {
  Index length = 100;
  NetOptions net;
  TrainingOptions training;
  Index batches = 100, chrono = 0;
  bool json = false;

  template <class F>
  void settings(F&& each) {
    each("length", length, Range<Index>{2, 1000000}, "steps");
    each("batches", batches, Range<Index>{1, 1000000}, "in an epoch");
    each("chrono", chrono, Range<Index>{0, 1000000},
         "biases of the gates for memories of up to so many steps; 0 for the usual ones");
  }
  void conditions(const Usage& usage) const {
    net.conditions(usage);
    usage({"dropout", "variational"}, net.layers > 1, "--layers 1", "more layers, as it lies between them");
    training.conditions(usage);
  }
};

// What one has who knows how the sequences are made, and remembers nothing of this one.
double guess(const Adding&) { return 1.0 / 6; }
double guess(const CopyMemory& problem) {
  return CopyMemory::kSymbols * std::log(CopyMemory::kKinds) /
         static_cast<double>(problem.length + 2 * CopyMemory::kSymbols);
}

template <class Problem>
void run(const Demo<Problem>& demo) {
  Generator generator(demo.training.seed);
  Problem problem(demo.length, demo.net, generator);
  if (demo.chrono > 0) problem.net.remember(demo.chrono, generator);
  note(fmt::format("{} of {}, {}; guessing: {} {:.6f}", Problem::kind, counted(demo.length, "step"),
                   counted(parameter_count(problem), "parameter"), Problem::measure, guess(problem)));
  Workers workers(demo.training.threads);
  GeneratedTask<Problem> task(problem, demo.net, demo.training, {.batches = demo.batches});
  TrainingOptions training = demo.training;
  describe(training.others, demo);
  const TrainingRecord record = train(task, training, workers);
  const auto test = task.test(workers);
  if (demo.json) {
    nlohmann::json json = report(training, task.card(), record, parameter_count(problem));
    json["test"] = to_json(test);
    json["guess"] = guess(problem);
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("test {} {:.3e}, guessing {:.3e} (the model of epoch {}), {:.0f} s of training\n",
               test[0].name, test[0].value, guess(problem), record.best_epoch, record.seconds());
    if (test.size() > 1) fmt::print("test {}\n", in_words(std::span(test).subspan(1)));
  }
}

template <class Problem>
void add(CLI::App& demos, const char* name, const char* description, const Demo<Problem>& defaults) {
  auto [app, demo] = add_command<Demo<Problem>>(demos, name, description, defaults);
  add_settings(app, demo);
  add_training(app, demo.training, false);
  add_settings(app, demo.net);
  refuse(app, "--bidirectional", "the net is to remember what came before");
  refuse(app, "--pool", "the last steps answer");
  refuse(app, "--embed", "numbers go in as they are");
  add_json(app, demo.json);
}

}  // namespace

void add_demo_adding(CLI::App& demos) {
  add<Adding>(demos, "adding",
              "The adding problem: two numbers that are marked in a long sequence are to be added.",
              {.net = {.cell = CellKind::gru, .hidden = 150},
               .training = {.epochs = 30, .batch = 32, .lr = 2e-3, .clip = 1}});
}

void add_demo_copy(CLI::App& demos) {
  add<CopyMemory>(demos, "copy", "Copy memory: 10 symbols are to be said again after a long pause.",
                  {.net = {.cell = CellKind::gru, .hidden = 50},
                   .training = {.epochs = 30, .batch = 32, .lr = 1e-3, .clip = 1}});
}

}  // namespace unroll::models
