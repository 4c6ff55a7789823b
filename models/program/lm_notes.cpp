#include "models/program/lm_notes.h"

#include <fmt/format.h>

#include "models/tasks/language/notes.h"
#include "models/training/progress.h"

namespace unroll::models {

void train_notes(const NoteTraining& options) {
  if (options.file.empty())
    autograd::fail("lm train", "--level notes came without --data; needed one file with all parts");
  const PianoRolls rolls = read_piano_rolls(options.file);
  if (rolls.training.empty() || rolls.validation.empty() || rolls.test.empty())
    autograd::fail("lm train", fmt::format("{} has {} pieces to train on, {} to validate and {} to test; "
                                           "needed some of each",
                                           options.file, rolls.training.size(), rolls.validation.size(),
                                           rolls.test.size()));
  Generator generator(options.training.seed);
  SavedNoteModel saved({options.net}, generator);
  note(fmt::format("{} to train on, {} to validate, {} to test; {}, {}",
                   counted(static_cast<Index>(rolls.training.size()), "piece"), rolls.validation.size(),
                   rolls.test.size(), counted(parameter_count(saved.net), "parameter"),
                   counted(options.training.threads, "thread")));
  NoteTask task(saved, rolls.training, rolls.validation, options.training);
  train_and_print(task, saved, options.training, options.json, [&](Workers& workers, nlohmann::json&) {
    return measures(evaluate(saved.net, rolls.test, workers));
  });
}

void eval_notes(const std::string& model, const Measuring& measuring) {
  const SavedNoteModel saved = load_model<SavedNoteModel>(model);
  const PianoRolls rolls = read_piano_rolls(measuring.data);
  Workers workers(measuring.threads);
  const auto figures = measures(evaluate(saved.net, rolls.test, workers));
  print_figures(measuring, figures, {{"pieces", rolls.test.size()}},
                fmt::format("{}, nats a step; {} pieces", in_words(figures), rolls.test.size()));
}

}  // namespace unroll::models
