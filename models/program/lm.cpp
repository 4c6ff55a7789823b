#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/program/lm_notes.h"
#include "models/tasks/language/notes.h"
#include "models/tasks/language/task.h"
#include "models/training/progress.h"
#include "nn/initialise.h"

namespace unroll::models {

namespace {

using autograd::fail;

const char* units_of(Level level) { return level == Level::word ? "words" : "characters"; }

enum class Material { characters, words, notes };
constexpr Word<Material> kMaterials[] = {
    {"char", Material::characters}, {"word", Material::words}, {"notes", Material::notes}};

struct Train {
  Material level = Material::characters;
  DataFiles files{.split = {0.9, 0.1}};
  Vocabulary::Limits limits;
  LanguageModelOptions model;
  TrainingOptions training{
      .epochs = 10, .batch = 16, .bptt = 64, .lr = 4e-3, .schedule = "cosine", .clip = 1};
  LanguageTaskOptions task;
  double init = 0;
  Index streams = 1;
  std::string vectors;
  BadRows bad;
  bool json = false;

  template <class F>
  void settings(F&& each) {
    each("init", init, Range<double>{0, 10}, "all parameters from U(-X, X); 0 for each layer's own way");
  }
  void conditions(const Usage& usage) const {
    const bool notes = level == Material::notes;
    usage({"train", "valid", "test", "split", "eos", "vocabulary", "min-count", "embed", "tied", "loss",
           "init", "streams", "vectors", "skip-bad"},
          !notes, "--level notes", "--level char or word");
    usage({"eos", "vectors"}, level == Material::words, "--level char", "--level word");
    model.net.conditions(usage);
    if (notes) return training.conditions(usage);
    check_usage(usage, vectors);
    check_usage(usage, files, Cut::in_order, training);
    if (training.bptt < 1) usage.refuse("--bptt 0 came; needed at least 1, as texts are longer than memory");
  }
};

void train_text(Train& train) {
  const Level level = train.model.tokens.level;
  const Corpus corpus(train.files, train.model.tokens, train.limits, train.bad);
  const Vocabulary& vocabulary = corpus.vocabulary();
  if (static_cast<Index>(corpus.training().size()) <= train.training.batch || corpus.validation().size() == 1)
    fail("lm train", fmt::format("{} {} to train on and {} to validate came from {}; needed more than the {} "
                                 "streams of a batch, and at least 2",
                                 corpus.training().size(), units_of(level), corpus.validation().size(),
                                 name_of_input(train.files.of(0)), train.training.batch));
  const auto vectors = read_pretrained(train.vectors, vocabulary, train.bad, train.model.net);
  Generator generator(train.training.seed);
  SavedLanguageModel saved({train.model, vocabulary}, generator);
  if (train.init > 0)
    for (const NamedParameter& p : parameters(saved.net))
      initialise::uniform(*p.parameter, generator, -train.init, train.init);
  if (vectors) vectors->write_to(saved.net.tokens.weight.value());

  const std::array<std::span<const int>, 3> parts = {corpus.training(), corpus.validation(), corpus.test()};
  auto count = [&](std::size_t part) { return with_commas(static_cast<Index>(parts[part].size())); };
  note(fmt::format("{} {} to train on, {} to validate, {} to test; {} different ones, {}, {}", count(0),
                   units_of(level), count(1), count(2), with_commas(vocabulary.size()),
                   counted(parameter_count(saved.net), "parameter"),
                   counted(train.training.threads, "thread")));
  note_skipped(train.bad);
  LanguageTask task(saved, corpus.training(), corpus.validation(), train.training, train.task);
  describe(train.training.others, train.task, train);
  describe_split(train.training.others, train.files, Cut::in_order);
  train_and_print(task, saved, train.training, train.json, [&](Workers& workers, nlohmann::json& json) {
    json["vocabulary"] = vocabulary.size();
    json["skipped"] = train.bad.skipped();
    for (std::size_t part = 0; part < 3; ++part) json["tokens"][kPartNames[part]] = parts[part].size();
    const auto measured = [&](std::size_t part) {
      return parts[part].size() < 2
                 ? std::vector<Measure>()
                 : measures(evaluate(saved.net, parts[part], workers, train.streams), level);
    };
    json["streams"] = train.streams;
    json["validation_in_streams"] = to_json(measured(1));
    return measured(2);
  });
}

void run(Train train) {
  if (train.level == Material::notes)
    return train_notes({train.files.all, train.model.net, train.training, train.json});
  train.model.tokens.level = train.level == Material::words ? Level::word : Level::character;
  train_text(train);
}

struct Eval {
  const CLI::App* app = nullptr;
  std::string model;
  Index streams = 1;
  Measuring measuring;
};

void run(Eval eval) {
  Measuring& measuring = eval.measuring;
  if (ModelFile(eval.model).card().kind == AboutNoteModel::kind) {
    Usage{*eval.app}({"streams", "skip-bad"}, false, "a note model", "a language model");
    return eval_notes(eval.model, measuring);
  }
  const SavedLanguageModel saved = load_model<SavedLanguageModel>(eval.model);
  const Level level = saved.options.tokens.level;
  TokenStore store;
  read_tokens(measuring.data, saved.options.tokens, saved.vocabulary, measuring.bad, store);
  const std::span<const int> tokens = store.ids();
  if (static_cast<Index>(tokens.size()) <= eval.streams)
    fail("lm eval", fmt::format("{} has {} {}; needed at least {}", measuring.data, tokens.size(),
                                units_of(level), eval.streams + 1));
  Workers workers(measuring.threads);
  const auto figures = measures(evaluate(saved.net, tokens, workers, eval.streams), level);
  const auto unknown = std::count(tokens.begin(), tokens.end(), Vocabulary::kUnknown);
  print_figures(
      measuring, figures, {{"tokens", tokens.size()}, {"unknown_tokens", unknown}},
      fmt::format("{}; {} {}, {} of them unknown to the model", in_words(figures),
                  with_commas(static_cast<Index>(tokens.size())), units_of(level), with_commas(unknown)));
}

struct Sample {
  std::string model;
  std::optional<std::string> prompt;
  Sampling sampling;
  std::uint64_t seed = 1;
  bool json = false;

  void conditions(const Usage& usage) const {
    usage({"top", "seed"}, sampling.temperature > 0, "--temperature 0", "a temperature above 0");
  }
};

void run(const Sample& sample) {
  const SavedLanguageModel saved = load_model<SavedLanguageModel>(sample.model);
  const bool words = saved.options.tokens.level == Level::word;
  if (!sample.prompt && words && !saved.options.tokens.eos)
    fail("lm sample",
         "a model of words that was trained without --eos came without --prompt; needed one, as "
         "it cannot begin after the end of a line");
  const std::string prompt = sample.prompt.value_or("\n");
  Generator generator(sample.seed);
  const std::string text = continue_text(saved, prompt, sample.sampling, generator);
  const auto ids = token_ids(prompt, saved.options.tokens, saved.vocabulary);
  if (const auto unknown = std::ranges::count(ids, Vocabulary::kUnknown); unknown > 0)
    note(fmt::format("{} of the {} {} of the prompt are unknown to the model", unknown, ids.size(),
                     units_of(saved.options.tokens.level)));
  if (sample.json)
    fmt::print("{}\n", nlohmann::json{{"prompt", prompt}, {"text", text}}.dump());
  else
    fmt::print("{}{}{}\n", prompt, words && !prompt.ends_with('\n') ? " " : "", text);
}

void add_streams(CLI::App& app, Index& streams) {
  app.add_option("--streams", streams,
                 "pieces that a text is cut into to be measured; with 1 each token is predicted from all "
                 "before it")
      ->check(in_range(Range<Index>{1, 1 << 20}))
      ->capture_default_str();
}

void add_train(CLI::App& lm) {
  auto [app, train] = add_command<Train>(lm, "train",
                                         "Learn to predict the next character or word of a UTF-8 text; the "
                                         "model with the lowest validation loss is saved.");
  add_data(app, train.files, Cut::in_order, "UTF-8 text");
  add_choice(
      app, "--level", train.level, kMaterials,
      std::string(kLevelMeaning) +
          "; notes: --data is JSON with 'train', 'valid' and 'test', each a list of pieces, each a list "
          "of steps, each a list of MIDI pitches");
  app.add_flag("--eos,!--no-eos", train.model.tokens.eos, "the end of a line is a word too");
  add_vocabulary(app, train.limits);
  add_vectors(app, train.vectors);
  add_training(app, train.training, true);
  add_settings(app, train.model.net, train.model, train.task, train);
  refuse(app, "--bidirectional", "a language model must not see what comes next");
  refuse(app, "--pool", "a language model learns from every step");
  add_streams(app, train.streams);
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& lm) {
  auto [app, eval] =
      add_command<Eval>(lm, "eval", "How well a model predicts a text: loss, perplexity, bits.");
  eval.app = &app;
  app.add_option("--model", eval.model, "file that `unroll lm train` wrote")->required();
  add_measuring(app, eval.measuring, "UTF-8 text");
  add_streams(app, eval.streams);
}

void add_sample(CLI::App& lm) {
  auto [app, sample] = add_command<Sample>(lm, "sample", "Continue a prompt.");
  app.add_option("--model", sample.model, "file that `unroll lm train` wrote")->required();
  app.add_option("--prompt", sample.prompt, "text to go on from")->default_str("the end of a line");
  app.add_option("--length", sample.sampling.length, "tokens to write")
      ->check(in_range(Range<Index>{0, 1 << 30}))
      ->capture_default_str();
  app.add_option("--temperature", sample.sampling.temperature,
                 "below 1 safer, above 1 wilder; 0 takes the likeliest")
      ->check(in_range(Range<double>{0.0, 100.0}))
      ->capture_default_str();
  app.add_option("--top", sample.sampling.top, "draw among so many of the likeliest tokens; 0 for all")
      ->check(in_range(Range<Index>{0, 1 << 30}))
      ->capture_default_str();
  add_seed(app, sample.seed);
  add_json(app, sample.json);
}

}  // namespace

void add_lm(CLI::App& program) {
  CLI::App& lm =
      *program.add_subcommand("lm", "Language models of characters, words or notes: train, eval, sample.");
  lm.require_subcommand(1);
  add_train(lm);
  add_eval(lm);
  add_sample(lm);
}

}  // namespace unroll::models
