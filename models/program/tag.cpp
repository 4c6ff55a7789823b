#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/program/predict.h"
#include "models/tasks/tag/task.h"
#include "models/training/progress.h"

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
  WordDropout task{.word_dropout = 0.1};
  std::string vectors;
  BadRows bad;
  bool json = false;

  void conditions(const Usage& usage) const {
    model.conditions(usage);
    check_usage(usage, vectors);
    check_usage(usage, data.files, Cut::at_random, training);
  }
};

void run(Train train) {
  train.data.lower = train.model.lower;
  train.data.format = train.format.of(train.data.files.of(0));
  const TaggingData data = read_tagging_data(train.data, train.bad);
  const auto vectors = read_pretrained(train.vectors, data.vocabulary, train.bad, train.model.net);
  Generator generator(train.training.seed);
  SavedTagger tagger({train.model, data.tags, data.vocabulary, data.alphabet}, generator);
  if (vectors) vectors->write_to(tagger.net.words.weight.value());

  auto count = [&](std::size_t part) {
    const TaggedData& sentences = data.parts[part];
    if (sentences.size() == 0) return std::string("0");
    return fmt::format("{} ({})", counted(static_cast<Index>(sentences.size()), "sentence"),
                       counted(sentences.word_count(), "word"));
  };
  note(fmt::format("{} to train on, {} to validate, {} to test; {}, {}, {}, {}", count(0), count(1), count(2),
                   counted(data.tags.size(), "tag"), counted(data.vocabulary.size(), "different word"),
                   counted(parameter_count(tagger), "parameter"), counted(train.training.threads, "thread")));
  note_skipped(train.bad);

  TaggingTask task(tagger, data.parts[0], data.parts[1], train.training, train.task);
  describe(train.training.others, train.task);
  describe_split(train.training.others, train.data.files, Cut::at_random);
  train_and_print(task, tagger, train.training, train.json, [&](Workers& workers, nlohmann::json& json) {
    json["skipped"] = train.bad.skipped();
    json["tags"] = data.tags.size();
    if (vectors) json["vectors_found"] = vectors->ids.size();
    const TaggedData& test = data.parts[2];
    return test.size() > 0 ? measures(evaluate(tagger, test, workers), test, data.tags)
                           : std::vector<Measure>();
  });
}

struct Eval {
  std::string model;
  Format format;
  Measuring measuring;
};

void run(Eval eval) {
  Measuring& measuring = eval.measuring;
  const SavedTagger tagger = load_model<SavedTagger>(eval.model);
  const TaggedData data =
      read_tagged_data(tagger, measuring.data, eval.format.of(measuring.data), measuring.bad);
  Workers workers(measuring.threads);
  const TaggerScore score = evaluate(tagger, data, workers);
  const auto figures = measures(score, data, tagger.tags);
  std::string words = fmt::format("{}; {} words, {} of them unknown to the model", in_words(figures),
                                  with_commas(score.words), with_commas(score.unknown));
  if (score.unknown > 0) words += fmt::format(" (accuracy {:.1f} %)", 100 * score.unknown_accuracy);
  print_figures(measuring, figures,
                {{"sentences", data.size()}, {"words", score.words}, {"unknown_words", score.unknown}},
                words);
}

struct Predict : Predicting {};

void run(Predict predict) {
  const SavedTagger tagger = load_model<SavedTagger>(predict.model);
  Workers workers(predict.threads);
  using Sentence = std::vector<std::string>;
  const auto answer = [&](const std::vector<Sentence>& sentences, const std::vector<Index>& lines) {
    const TaggerScore score = evaluate(tagger, sentence_data(tagger, sentences), workers);
    for (std::size_t i = 0; i < sentences.size(); ++i) {
      std::vector<std::string> tags;
      for (const int tag : score.predicted[i]) tags.push_back(tagger.tags.name(tag));
      if (predict.json)
        fmt::print("{}\n", nlohmann::json{{"line", lines[i]}, {"tags", tags}}.dump());
      else
        fmt::print("{}\n", fmt::join(tags, " "));
    }
  };
  if (tagged_form_of(predict.data) == TaggedForm::conllu) {
    Questions<Sentence>::answer(
        [&](auto& questions) {
          read_tagged_text(predict.data, kWordsOfConllu, predict.bad,
                           [&](const TaggedSentence& s) { questions.add(s.place, s.words); });
        },
        answer);
    return note_skipped(predict.bad);
  }
  answer_lines(
      "tag", predict,
      [](const Lines& lines) {
        const std::string_view text = lines.text();
        if (text.find('\t') != text.npos)
          lines.reject("a TAB", "words with blanks between them, or a file whose name ends in .conllu");
        Sentence words = tokens_of(text, {.level = Level::word});
        if (words.empty()) lines.reject("an empty line", "words with blanks between them");
        return words;
      },
      answer);
}

void add_format(CLI::App& app, Format& format) {
  add_choice(app, "--format", format.form, kTaggedForms,
             "CoNLL-U, or the word first and TABs or single blanks between")
      ->default_str("by the file's name");
  app.add_option("--column", format.column,
                 "of the tag: lemma, upos, xpos, feats, deprel ... of CoNLL-U, or its number")
      ->default_str("upos, or the last column");
}

void add_train(CLI::App& tag) {
  auto [app, train] = add_command<Train>(
      tag, "train", "Learn the tags of words in sentences; the model that validates best is saved.");
  add_data(app, train.data.files, Cut::at_random, "tagged sentences, CoNLL-U or columns");
  add_format(app, train.format);
  add_vocabulary(app, train.data.limits);
  add_vectors(app, train.vectors);
  add_training(app, train.training, true);
  add_settings(app, train.model, train.model.net, train.task);
  refuse(app, "--pool", "each word has a tag of its own");
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& tag) {
  auto [app, eval] = add_command<Eval>(tag, "eval", "How well a tagger does on tagged sentences.");
  app.add_option("--model", eval.model, "file that `unroll tag train` wrote")->required();
  add_format(app, eval.format);
  add_measuring(app, eval.measuring, "tagged sentences, CoNLL-U or columns");
}

void add_predict(CLI::App& tag) {
  auto [app, predict] = add_command<Predict>(tag, "predict",
                                             "Tag sentences, one a line, blanks between words, or those of a "
                                             ".conllu file: a line of tags for each.");
  add_predicting(app, predict, "tag", "sentences");
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
