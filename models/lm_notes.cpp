#include "models/lm_notes.h"
#include "models/progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/command_line.h"
#include "models/note_model.h"

namespace unroll::models {

void train_notes(const NoteTraining& options) {
  const PianoRolls rolls = read_piano_rolls(options.file);
  if (rolls.training.empty() || rolls.validation.empty() || rolls.test.empty())
    autograd::fail("lm train", fmt::format("{} has {} pieces to train on, {} to validate and {} to test; "
                                           "needed some of each",
                                           options.file, rolls.training.size(), rolls.validation.size(),
                                           rolls.test.size()));
  Generator generator(options.training.seed);
  SavedNoteModel saved{options.net, NoteModel(options.net, generator)};
  tell(stderr, fmt::format("{} pieces to train on, {} to validate, {} to test; {} parameters, {} threads\n",
                           rolls.training.size(), rolls.validation.size(), rolls.test.size(),
                           with_commas(parameter_count(saved.model)), options.training.threads));
  Workers workers(options.training.threads);
  NoteTask task(saved, rolls.training, rolls.validation, options.training.batch);
  const TrainingRecord record = train(task, options.training, workers);
  const double test = evaluate(saved.model, rolls.test, workers);
  if (options.json) {
    nlohmann::json json = report(options.training, task.card(), record, parameter_count(saved.model));
    json["test"] = {{"loss", test}};
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("validation {}, test loss {:.4f} nats a step (the model of epoch {}, in {})\n",
               in_words(record.best().validation), test, record.best_epoch, options.training.out);
  }
}

void eval_notes(const std::string& model, const std::string& file, int threads, bool json) {
  const SavedNoteModel saved = load_note_model(model);
  const PianoRolls rolls = read_piano_rolls(file);
  Workers workers(threads);
  const double loss = evaluate(saved.model, rolls.test, workers);
  if (json)
    fmt::print("{}\n", nlohmann::json{{"loss", loss}, {"pieces", rolls.test.size()}}.dump());
  else
    fmt::print("loss {:.4f} nats a step; {} pieces\n", loss, rolls.test.size());
}

}  // namespace unroll::models
