#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/command_line.h"
#include "models/data_options.h"
#include "models/language_task.h"
#include "models/lm_notes.h"
#include "models/note_model.h"
#include "models/programs.h"
#include "models/progress.h"
#include "nn/initialise.h"

namespace unroll::models {

namespace {

using autograd::fail;

const char* units_of(Level level) { return level == Level::word ? "words" : "characters"; }

struct Train {
  std::string level = "char";
  CorpusFiles files;
  Vocabulary::Limits limits;
  LanguageModelOptions model;
  TrainingOptions training{.epochs = 10, .batch = 16, .lr = 4e-3, .schedule = "cosine", .clip = 1};
  Index bptt = 64;
  LossOver loss = LossOver::tokens;
  double init = 0;
  Index streams = 1;
  BadRows bad;
  bool json = false;
};

void check(const Train& train) {
  const CorpusFiles& files = train.files;
  if (files.text.empty() == files.training.empty())
    fail("lm train", files.text.empty() ? "neither --text nor --train came; needed one of them"
                                        : "--text and --train came; needed one of them");
  if (!files.text.empty() && !(files.validation.empty() && files.test.empty()))
    fail("lm train", "--text came with --valid or --test; needed --train with them, or --split");
  if (train.model.tokens.eos && train.level != "word")
    fail("lm train", fmt::format("--eos came with --level {}; needed --level word", train.level));
  if (train.level == "notes" && files.text.empty())
    fail("lm train", "--level notes came without --text; needed one file with all parts");
}

void train_text(Train& train) {
  const Level level = train.model.tokens.level;
  const Corpus corpus(train.files, train.model.tokens, train.limits, train.bad);
  const Vocabulary& vocabulary = corpus.vocabulary();
  if (static_cast<Index>(corpus.training().size()) <= train.training.batch || corpus.validation().size() == 1)
    fail("lm train", fmt::format("{} {} to train on and {} to validate came; needed more than the {} streams "
                                 "of a batch, and at least 2",
                                 corpus.training().size(), units_of(level), corpus.validation().size(),
                                 train.training.batch));
  Generator generator(train.training.seed);
  SavedLanguageModel saved{train.model, vocabulary, LanguageModel(vocabulary.size(), train.model, generator)};
  if (train.init > 0)
    for (const NamedParameter& p : parameters(saved.model))
      initialise::uniform(*p.parameter, generator, -train.init, train.init);

  auto count = [](std::span<const int> part) { return with_commas(static_cast<Index>(part.size())); };
  tell(stderr, fmt::format("{} {} to train on, {} to validate, {} to test; {} different ones, {} parameters, "
                           "{} threads\n",
                           count(corpus.training()), units_of(level), count(corpus.validation()),
                           count(corpus.test()), with_commas(vocabulary.size()),
                           with_commas(parameter_count(saved.model)), train.training.threads));
  note_skipped(train.bad);
  Workers workers(train.training.threads);
  LanguageTask task(saved, corpus.training(), corpus.validation(),
                    {.batch = train.training.batch,
                     .bptt = train.bptt,
                     .loss = train.loss,
                     .threads = train.training.threads});
  const TrainingRecord record = models::train(task, train.training, workers);

  nlohmann::json json = report(train.training, task.card(), record, parameter_count(saved.model));
  json["options"]["bptt"] = train.bptt;
  json["options"]["loss"] = train.loss == LossOver::tokens ? "mean" : "sum";
  json["options"]["init"] = train.init;
  json["vocabulary"] = vocabulary.size();
  json["skipped_lines"] = train.bad.skipped();
  std::string words = fmt::format("the model of epoch {} is in {}\n", record.best_epoch, train.training.out);
  auto measure = [&](const char* part, std::span<const int> tokens) {
    json["tokens"][part] = tokens.size();
    if (part == std::string_view("training") || tokens.size() < 2) return;
    const auto figures = measures(evaluate(saved.model, tokens, workers, train.streams), level);
    json[part] = to_json(figures);
    words += fmt::format("{}  {}\n", part, in_words(figures));
  };
  measure("training", corpus.training());
  measure("validation", corpus.validation());
  measure("test", corpus.test());
  if (train.json)
    fmt::print("{}\n", json.dump());
  else
    fmt::print("{}", words);
}

void run(Train train) {
  check(train);
  if (train.level == "notes")
    return train_notes({train.files.text, train.model.net, train.training, train.json});
  train.model.tokens.level = train.level == "word" ? Level::word : Level::character;
  train_text(train);
}

struct Eval {
  std::string model, text;
  Index streams = 1;
  int threads = 1;
  BadRows bad;
  bool json = false;
};

void run(Eval eval) {
  if (SavedModel(eval.model).card().kind == kNoteModel)
    return eval_notes(eval.model, eval.text, eval.threads, eval.json);
  const SavedLanguageModel saved = load_language_model(eval.model);
  const Tokenisation& tokenisation = saved.options.tokens;
  TokenStore store;
  read_tokens(eval.text, tokenisation, saved.vocabulary, eval.bad, store);
  note_skipped(eval.bad);
  const std::span<const int> tokens = store.ids();
  if (static_cast<Index>(tokens.size()) <= eval.streams)
    fail("lm eval", fmt::format("{} has {} {}; needed at least {}", eval.text, tokens.size(),
                                units_of(tokenisation.level), eval.streams + 1));
  Workers workers(eval.threads);
  const auto figures = measures(evaluate(saved.model, tokens, workers, eval.streams), tokenisation.level);
  const auto unknown = std::count(tokens.begin(), tokens.end(), Vocabulary::kUnknown);
  if (eval.json) {
    nlohmann::json json = to_json(figures);
    json["tokens"] = tokens.size();
    json["unknown_tokens"] = unknown;
    json["skipped_lines"] = eval.bad.skipped();
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}; {} {}, {} of them unknown to the model\n", in_words(figures),
             with_commas(static_cast<Index>(tokens.size())), units_of(tokenisation.level),
             with_commas(unknown));
}

struct Sample {
  std::string model, prompt = "\n";
  Sampling sampling;
  std::uint64_t seed = 1;
  bool json = false;
};

void run(const Sample& sample) {
  const SavedLanguageModel saved = load_language_model(sample.model);
  Generator generator(sample.seed);
  const std::string text = continue_text(saved, sample.prompt, sample.sampling, generator);
  const bool spaced = saved.options.tokens.level == Level::word && !sample.prompt.ends_with('\n');
  if (sample.json)
    fmt::print("{}\n", nlohmann::json{{"prompt", sample.prompt}, {"text", text}}.dump());
  else
    fmt::print("{}{}{}\n", sample.prompt, spaced ? " " : "", text);
}

void add_streams(CLI::App& app, Index& streams) {
  app.add_option("--streams", streams,
                 "pieces that a text is cut into to be measured; with 1 each token is predicted from all "
                 "before it")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

void add_train(CLI::App& lm) {
  auto [app, train] = add_command<Train>(lm, "train",
                                         "Learn to predict the next character or word of a UTF-8 text; the "
                                         "model with the lowest validation loss is saved.");
  app.add_option("--text", train.files.text, "UTF-8 text file, to be split");
  app.add_option("--split", train.files.split, "shares of --text for training, validation and test")
      ->delimiter(',')
      ->default_str("0.9,0.1");
  app.add_option("--train", train.files.training, "or: UTF-8 text file to train on");
  app.add_option("--valid", train.files.validation, "text that chooses the model");
  app.add_option("--test", train.files.test, "text that the chosen model is measured on");
  app.add_option(
         "--level", train.level,
         "what a token is: a char (UTF-8 code point), or a word between spaces; notes: --text is JSON "
         "with 'train', 'valid' and 'test', each a list of pieces, each a list of steps, each a list "
         "of MIDI pitches")
      ->check(CLI::IsMember({"char", "word", "notes"}).description(""))
      ->capture_default_str();
  app.add_flag("--eos", train.model.tokens.eos, "the end of a line is a word too");
  app.add_option("--vocabulary", train.limits.max_size, "most different tokens, the unknown one included")
      ->check(CLI::Range(2, 1 << 30))
      ->default_str("all");
  app.add_option("--min-count", train.limits.min_count, "rarer tokens are taken for unknown")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  add_training(app, train.training, true);
  add_net(app, train.model.net);
  app.add_flag("--tied", train.model.tied, "the output's weights are the embedding's");
  app.add_option("--bptt", train.bptt, "time steps that the gradient goes back")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  const std::map<std::string, LossOver> losses{{"mean", LossOver::tokens}, {"sum", LossOver::streams}};
  app.add_option("--loss", train.loss,
                 "mean: averaged over all tokens of a step; sum: added over time, averaged over the batch")
      ->transform(CLI::CheckedTransformer(losses).description(""))
      ->default_str("mean");
  app.add_option("--init", train.init, "all parameters from U(-X, X); 0 for each layer's own way")
      ->check(in_range(0.0, 10.0))
      ->capture_default_str();
  add_streams(app, train.streams);
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& lm) {
  auto [app, eval] =
      add_command<Eval>(lm, "eval", "How well a model predicts a text: loss, perplexity, bits.");
  app.add_option("--model", eval.model, "file that `unroll lm train` wrote")->required();
  app.add_option("--text", eval.text, "UTF-8 text file")->required();
  add_streams(app, eval.streams);
  add_threads(app, eval.threads);
  add_skip_bad(app, eval.bad);
  add_json(app, eval.json);
}

void add_sample(CLI::App& lm) {
  auto [app, sample] = add_command<Sample>(lm, "sample", "Continue a prompt.");
  app.add_option("--model", sample.model, "file that `unroll lm train` wrote")->required();
  app.add_option("--prompt", sample.prompt, "text to go on from")->default_str("a new line");
  app.add_option("--length", sample.sampling.length, "tokens to write")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--temperature", sample.sampling.temperature,
                 "below 1 safer, above 1 wilder; 0 takes the likeliest")
      ->check(in_range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--top", sample.sampling.top, "draw among so many of the likeliest tokens; 0 for all")
      ->check(CLI::Range(0, 1 << 30))
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
