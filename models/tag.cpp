#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "models/data_options.h"
#include "models/programs.h"
#include "models/tagging.h"

namespace unroll::models {

namespace {

// What is said about a file of tagged sentences.
struct Format {
  std::optional<TaggedForm> form;
  std::string column;

  TaggedFormat of(const std::string& path) const {
    const TaggedForm chosen = form ? *form : tagged_form_of(path);
    return {chosen, tag_column(chosen, column)};
  }
};

struct Train {
  TaggingDataOptions data;
  Format format;
  TaggerOptions model;
  TrainingOptions training{.epochs = 10, .batch = 32, .lr = 2e-3, .schedule = "cosine"};
  double word_dropout = 0.1;
  std::string vectors;
  BadRows bad;
  bool json = false;
};

void run(const Train& given) {
  Train train = given;
  train.data.lower = train.model.lower;
  train.data.format =
      train.format.of(train.data.files.is_split() ? train.data.files.all : train.data.files.training);
  const TaggingData data = read_tagging_data(train.data, train.bad);
  std::optional<WordVectors> vectors;
  if (!train.vectors.empty()) {
    vectors = read_word_vectors(train.vectors, data.vocabulary, train.bad);
    train.model.net.embed = vectors->width;
  }
  Generator generator(train.training.seed);
  SavedTagger tagger(train.model, data.tags, data.vocabulary, data.alphabet, generator);
  if (vectors) vectors->write_to(tagger.net.words.weight.value());

  auto count = [&](std::size_t part) {
    return fmt::format("{} sentences ({} words)", with_commas(static_cast<Index>(data.parts[part].size())),
                       with_commas(data.parts[part].word_count()));
  };
  note(
      fmt::format("{} to train on, {} to validate, {} to test; {} tags, {} different words, {} parameters, "
                  "{} threads",
                  count(0), count(1), count(2), data.tags.size(), with_commas(data.vocabulary.size()),
                  with_commas(parameter_count(tagger)), train.training.threads));
  if (vectors) note(coverage(*vectors, data.vocabulary));
  note_skipped(train.bad);

  Workers workers(train.training.threads);
  TaggingTask task(tagger, data.parts[0], data.parts[1],
                   {.batch = train.training.batch, .word_dropout = train.word_dropout});
  const TrainingRecord record = models::train(task, train.training, workers);
  nlohmann::json json = report(train.training, task.card(), record, parameter_count(tagger));
  json["options"]["word-dropout"] = train.word_dropout;
  json["skipped"] = train.bad.skipped();
  json["tags"] = data.tags.size();
  if (vectors) json["vectors_found"] = vectors->ids.size();
  TrainingReport(train.training.out, record, json).finish(train.json, [&](std::size_t part) {
    const TaggedData& sentences = data.parts[part];
    return sentences.size() == 0 ? std::vector<Measure>()
                                 : measures(evaluate(tagger, sentences, workers), sentences, data.tags);
  });
}

struct Eval {
  std::string model, data;
  Format format;
  int threads = 1;
  BadRows bad;
  bool json = false;
};

void run(const Eval& given) {
  Eval eval = given;
  const SavedTagger tagger = load_tagger(eval.model);
  const TaggedData data = read_tagged_data(tagger, eval.data, eval.format.of(eval.data), eval.bad);
  Workers workers(eval.threads);
  const TaggerScore score = evaluate(tagger, data, workers);
  const auto figures = measures(score, data, tagger.tags);
  if (eval.json) {
    nlohmann::json json = to_json(figures);
    json["sentences"] = data.size();
    json["words"] = score.words;
    json["unknown_words"] = score.unknown;
    json["skipped"] = eval.bad.skipped();
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}; {} words, {} of them unknown to the model", in_words(figures), with_commas(score.words),
             with_commas(score.unknown));
  if (score.unknown > 0) fmt::print(" (accuracy {:.1f} %)", 100 * score.unknown_accuracy);
  fmt::print("\n");
  note_skipped(eval.bad);
}

struct Predict {
  std::string model, data = "-";
};

void run(const Predict& predict) {
  const SavedTagger tagger = load_tagger(predict.model);
  Workers workers(1);
  Lines lines("tag", predict.data);
  while (lines.next()) {
    std::vector<std::string> words;
    each_token(lines.text(), false, {.level = Level::word},
               [&](std::string_view word) { words.emplace_back(word); });
    if (words.empty()) lines.reject("an empty line", "words with blanks between them");
    const TaggerScore score = evaluate(tagger, sentence_data(tagger, words), workers);
    std::vector<std::string> tags;
    for (const int tag : score.predicted[0]) tags.push_back(tagger.tags.name(tag));
    fmt::print("{}\n", fmt::join(tags, " "));
    std::fflush(stdout);
  }
}

void add_format(CLI::App& app, Format& format) {
  const std::map<std::string, TaggedForm> forms{{"conllu", TaggedForm::conllu},
                                                {"columns", TaggedForm::columns}};
  app.add_option("--format", format.form, "conllu; or columns: the word first, TABs or single blanks between")
      ->transform(CLI::CheckedTransformer(forms).description(""))
      ->default_str("by the file's name");
  app.add_option("--column", format.column,
                 "of the tag: lemma, upos, xpos, feats, deprel ... of CoNLL-U, or its number")
      ->default_str("upos, or the last column");
}

void add_train(CLI::App& tag) {
  auto [app, train] = add_command<Train>(
      tag, "train", "Learn the tags of words in sentences; the model that validates best is saved.");
  add_data(app, train.data.files, "tagged sentences, CoNLL-U or columns");
  add_format(app, train.format);
  app.add_option("--vocabulary", train.data.limits.max_size, "most different words, the unknown one included")
      ->check(CLI::Range(2, 1 << 30))
      ->default_str("all");
  app.add_option("--min-count", train.data.limits.min_count, "rarer words are taken for unknown")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_flag("--lower", train.model.lower,
               "look words up in lower case (ASCII); the spelling keeps capitals");
  app.add_option("--char-embed", train.model.char_embed, "numbers that stand for a character")
      ->check(CLI::Range(Index{1}, kLargestExtent))
      ->capture_default_str();
  app.add_option("--char-hidden", train.model.char_hidden,
                 "units, in each direction, of the net over a word's characters; 0 for none")
      ->check(CLI::Range(Index{0}, kLargestExtent))
      ->capture_default_str();
  app.add_option("--vectors", train.vectors,
                 "pretrained word vectors to begin with (text form of word2vec or GloVe); they say --embed");
  add_training(app, train.training, true);
  add_net(app, train.model.net);
  add_bidirectional(app, train.model.net);
  add_word_dropout(app, train.word_dropout);
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& tag) {
  auto [app, eval] = add_command<Eval>(tag, "eval", "How well a tagger does on tagged sentences.");
  app.add_option("--model", eval.model, "file that `unroll tag train` wrote")->required();
  app.add_option("--data", eval.data, "tagged sentences, CoNLL-U or columns")->required();
  add_format(app, eval.format);
  add_threads(app, eval.threads);
  add_skip_bad(app, eval.bad);
  add_json(app, eval.json);
}

void add_predict(CLI::App& tag) {
  auto [app, predict] = add_command<Predict>(
      tag, "predict", "Tag sentences, one a line, blanks between words: a line of tags for each.");
  app.add_option("--model", predict.model, "file that `unroll tag train` wrote")->required();
  app.add_option("--data", predict.data, "file to read; - for standard input")->capture_default_str();
}

}  // namespace

void add_tag(CLI::App& program) {
  CLI::App& tag = *program.add_subcommand("tag", "A tag for each word: train, eval, predict.");
  tag.require_subcommand(1);
  add_train(tag);
  add_eval(tag);
  add_predict(tag);
}

}  // namespace unroll::models
