#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "models/data/word_vectors.h"
#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/program/predict.h"
#include "models/tasks/classify/data.h"
#include "models/tasks/classify/task.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

enum class Kind { rnn, ngrams };
constexpr Word<Kind> kKinds[] = {{"rnn", Kind::rnn}, {"ngrams", Kind::ngrams}};

struct Train {
  ClassifierDataOptions data;
  ClassifierOptions model;
  TrainingOptions training{.epochs = 10, .batch = 32, .lr = 2e-3, .schedule = "cosine"};
  WordDropout task;
  Kind kind = Kind::rnn;
  Index ngrams = 3;
  std::string vectors;
  BadRows bad;
  bool json = false;

  template <class F>
  void settings(F&& each) {
    each("model", kind, kKinds,
         "a recurrent net, or logistic regression on n-grams of tokens, to compare with");
    each("ngrams", ngrams, kNgrams, "longest n-gram of --model ngrams");
  }
  void conditions(const Usage& usage) const {
    const std::string& path = data.files.of(0);
    usage({"model", "ngrams", "embed", "level", "punctuation", "vocabulary", "min-count", "vectors",
           "word-dropout", "unique", "format", "except"},
          !is_time_series(path), "time series", "texts");
    usage({"cell", "embed", "hidden", "layers", "bidirectional", "pool", "dropout", "variational", "vectors"},
          kind == Kind::rnn, "--model ngrams", "--model rnn");
    usage({"ngrams"}, kind == Kind::ngrams, "--model rnn", "--model ngrams");
    usage({"except"}, reads_folder(path, data.format), "a file", "a folder");
    data.text.conditions(usage);
    model.net.conditions(usage);
    check_usage(usage, vectors);
    check_usage(usage, data.files, Cut::at_random, training);
  }
};

void run(Train train) {
  const bool ngrams = train.kind == Kind::ngrams;
  train.data.format.many_labels = train.model.many_labels;
  if (ngrams) train.data.text.ngrams = static_cast<int>(train.ngrams);
  const ClassifierData data = read_classifier_data(train.data, train.bad);
  const auto vectors = read_pretrained(train.vectors, data.vocabulary, train.bad, train.model.net);
  Generator generator(train.training.seed);
  SavedClassifier classifier({train.model, data.labels, train.data.text, data.vocabulary, data.scaling},
                             generator);
  if (vectors) vectors->write_to(std::get<SequenceClassifier>(classifier.net).tokens->weight.value());

  auto count = [&](std::size_t part) { return with_commas(static_cast<Index>(data.parts[part].size())); };
  note(fmt::format("{} sequences to train on, {} to validate, {} to test; {}, {}, {}, {}", count(0), count(1),
                   count(2), counted(data.labels.size(), "label"),
                   data.is_text() ? counted(data.vocabulary.size(), "different token")
                                  : counted(static_cast<Index>(data.scaling.columns()), "column"),
                   counted(parameter_count(classifier), "parameter"),
                   counted(train.training.threads, "thread")));
  if (train.data.unique) note(counted(data.duplicates, "duplicate") + " left out");
  note_skipped(train.bad);

  ClassificationTask task(classifier, data.parts[0], data.parts[1], train.training, train.task);
  describe(train.training.others, train.task);
  describe_split(train.training.others, train.data.files, Cut::at_random);
  train_and_print(task, classifier, train.training, train.json, [&](Workers& workers, nlohmann::json& json) {
    json["duplicates"] = data.duplicates;
    json["skipped"] = train.bad.skipped();
    json["labels"] = data.labels.size();
    if (vectors) json["vectors_found"] = vectors->ids.size();
    if (data.parts[2].size() == 0) return std::vector<Measure>();
    return measures(evaluate(classifier, data.parts[2], workers), train.model.many_labels);
  });
}

struct Eval {
  std::vector<std::string> models;
  LabelledFormat format;
  Measuring measuring;

  void conditions(const Usage& usage) const {
    usage({"format", "except"}, !is_time_series(measuring.data), "time series", "texts");
    usage({"except"}, reads_folder(measuring.data, format), "a file", "a folder");
  }
};

// Of each label: how often it came, was predicted, and both.
nlohmann::json by_label(const SavedClassifier& classifier, const LabelledSequences& data,
                        const ClassifierScore& score) {
  struct Counts {
    Index came = 0, predicted = 0, right = 0;
  };
  std::vector<Counts> counts(static_cast<std::size_t>(classifier.labels.size()));
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (const int label : data.labels[i]) ++counts[static_cast<std::size_t>(label)].came;
    for (const int label : score.predicted[i]) {
      Counts& c = counts[static_cast<std::size_t>(label)];
      ++c.predicted;
      c.right += std::ranges::count(data.labels[i], label);
    }
  }
  nlohmann::json json = nlohmann::json::array();
  for (std::size_t i = 0; i < counts.size(); ++i)
    json.push_back({{"label", classifier.labels.name(static_cast<int>(i))},
                    {"came", counts[i].came},
                    {"predicted", counts[i].predicted},
                    {"right", counts[i].right}});
  return json;
}

void run(Eval eval) {
  std::vector<SavedClassifier> ensemble;
  for (const std::string& path : eval.models) ensemble.push_back(load_model<SavedClassifier>(path));
  const SavedClassifier& classifier = ensemble[0];
  eval.format.many_labels = classifier.options.many_labels;
  const LabelledSequences data =
      read_labelled_sequences(classifier, eval.measuring.data, eval.format, eval.measuring.bad);
  Workers workers(eval.measuring.threads);
  const ClassifierScore score = evaluate(ensemble, data, workers);
  const auto figures = measures(score, classifier.options.many_labels);
  const nlohmann::json labels = by_label(classifier, data, score);
  std::string words =
      fmt::format("{}; loss {:.4f}; {} sequences\n\n{:<24}{:>8}{:>11}{:>8}", in_words(figures), score.loss,
                  with_commas(static_cast<Index>(data.size())), "label", "came", "predicted", "right");
  for (const nlohmann::json& l : labels)
    words += fmt::format("\n{:<24}{:>8}{:>11}{:>8}", l["label"].get<std::string>(), l["came"].get<Index>(),
                         l["predicted"].get<Index>(), l["right"].get<Index>());
  print_figures(eval.measuring, figures,
                {{"sequences", data.size()}, {"labels", labels.size()}, {"by_label", labels}}, words);
}

struct Predict : Predicting {};

void run(Predict predict) {
  const SavedClassifier classifier = load_model<SavedClassifier>(predict.model);
  Workers workers(predict.threads);
  auto answer = [&](LabelledSequences data, const std::vector<Index>& lines) {
    const ClassifierScore score = evaluate(classifier, data, workers);
    for (std::size_t i = 0; i < data.size(); ++i) {
      std::vector<std::string> labels;
      for (const int label : score.predicted[i]) labels.push_back(classifier.labels.name(label));
      const double probability = score.probability[i];
      if (predict.json)
        fmt::print(
            "{}\n",
            nlohmann::json{{"line", lines[i]}, {"labels", labels}, {"probability", probability}}.dump());
      else
        fmt::print("{}\t{:.4f}\n", fmt::join(labels, "|"), probability);
    }
  };
  if (classifier.reads_text())
    return answer_lines(
        "classify", predict,
        [&](const Lines& lines) {
          const std::string_view text = lines.text();
          if (is_blank(text)) lines.reject("an empty line", "a text");
          std::vector<int> ids;
          for (const std::string& token : tokens_of(text, classifier.text))
            ids.push_back(classifier.vocabulary.id(token));
          return ids;
        },
        [&](std::vector<std::vector<int>> texts, const std::vector<Index>& lines) {
          answer({.texts = std::move(texts), .series = {}, .labels = {}}, lines);
        });
  const auto columns = static_cast<Index>(classifier.scaling.columns());
  Questions<Series>::answer(
      [&](auto& questions) {
        read_time_series(predict.data, predict.bad, [&](const TimeSeries& row) {
          if (row.series.columns != columns)
            reject("classify", row.place, fmt::format("a series of {} dimensions", row.series.columns),
                   fmt::format("{} as in training", columns));
          questions.add(row.place, row.series);
        });
      },
      [&](std::vector<Series> series, const std::vector<Index>& lines) {
        answer({.texts = {}, .series = std::move(series), .labels = {}}, lines);
      });
  note_skipped(predict.bad);
}

void add_format(CLI::App& app, LabelledFormat& format) {
  add_choice(
      app, "--format", format.form, kLabelledForms,
      "label TAB text; label, a blank, text; a folder with a file for each label; a .ts file is always "
      "of time series")
      ->default_str("as it looks");
  app.add_option("--except", format.except, "files of the folder that are no labels")->delimiter(',');
}

void add_train(CLI::App& classify) {
  auto [app, train] = add_command<Train>(
      classify, "train", "Learn the labels of texts or time series; the model that validates best is saved.");
  add_data(app, train.data.files, Cut::at_random, "labelled texts or time series (.ts)");
  app.add_flag("--unique", train.data.unique, "leave out rows that have come before, before the split");
  add_format(app, train.data.format);
  add_vocabulary(app, train.data.limits);
  add_vectors(app, train.vectors);
  add_training(app, train.training, true);
  add_settings(app, train.model, train.data.text, train, train.model.net, train.task);
  add_skip_bad(app, train.bad);
  add_json(app, train.json);
}

void add_eval(CLI::App& classify) {
  auto [app, eval] = add_command<Eval>(classify, "eval", "How well a classifier does on labelled data.");
  app.add_option("--model", eval.models,
                 "file that `unroll classify train` wrote; several, with ',' between, are an ensemble whose "
                 "logits are averaged")
      ->delimiter(',')
      ->required();
  add_format(app, eval.format);
  add_measuring(app, eval.measuring, "labelled texts or time series (.ts)");
}

void add_predict(CLI::App& classify) {
  auto [app, predict] =
      add_command<Predict>(classify, "predict",
                           "Label texts, one a line, or the series of a .ts file: the label, a TAB, and its "
                           "probability for each.");
  add_predicting(app, predict, "classify", "texts or time series (.ts)");
}

}  // namespace

void add_classify(CLI::App& program) {
  CLI::App& classify =
      *program.add_subcommand("classify", "Labels of texts or time series: train, eval, predict.");
  classify.require_subcommand(1);
  add_train(classify);
  add_eval(classify);
  add_predict(classify);
}

}  // namespace unroll::models
