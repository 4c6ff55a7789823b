#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/classification.h"
#include "models/classifier_data.h"
#include "models/command_line.h"
#include "models/data_options.h"
#include "models/programs.h"
#include "models/progress.h"
#include "models/word_vectors.h"

namespace unroll::models {

namespace {

using autograd::fail;

enum class Kind { rnn, ngrams };
constexpr Word<Kind> kKinds[] = {{"rnn", Kind::rnn}, {"ngrams", Kind::ngrams}};

struct Train {
  const CLI::App* app = nullptr;
  ClassifierDataOptions data;
  ClassifierOptions model;
  TrainingOptions training{.epochs = 10, .batch = 32, .lr = 2e-3, .schedule = "cosine"};
  ClassificationOptions task;
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
};

SavedClassifier make_classifier(const Train& train, const ClassifierData& data, Generator& generator) {
  if (data.is_text())
    return SavedClassifier(train.model, data.labels, train.data.text, data.vocabulary, generator);
  return SavedClassifier(train.model, data.labels, data.scaling, generator);
}

void run(Train train) {
  const bool ngrams = train.kind == Kind::ngrams;
  train.data.format.many_labels = train.model.many_labels;
  if (ngrams) train.data.text.ngrams = static_cast<int>(train.ngrams);
  const ClassifierData data = read_classifier_data(train.data, train.bad);
  if (!data.is_text())
    refuse_given(*train.app,
                 {"--model", "--ngrams", "--embed", "--level", "--punctuation", "--vocabulary", "--min-count",
                  "--vectors", "--word-dropout", "--unique", "--format", "--except"},
                 "time series", "texts");
  if (ngrams)
    refuse_given(*train.app,
                 {"--cell", "--embed", "--hidden", "--layers", "--bidirectional", "--pool", "--dropout",
                  "--variational", "--vectors"},
                 "--model ngrams", "--model rnn");
  const auto vectors =
      read_pretrained(*train.app, train.vectors, data.vocabulary, train.bad, train.model.net);
  Generator generator(train.training.seed);
  SavedClassifier classifier = make_classifier(train, data, generator);
  if (vectors) vectors->write_to(std::get<SequenceClassifier>(classifier.net).tokens->weight.value());

  auto count = [&](std::size_t part) { return with_commas(static_cast<Index>(data.parts[part].size())); };
  note(
      fmt::format("{} sequences to train on, {} to validate, {} to test; {} labels, {}, {} parameters, {} "
                  "threads",
                  count(0), count(1), count(2), data.labels.size(),
                  data.is_text() ? with_commas(data.vocabulary.size()) + " different tokens"
                                 : fmt::format("{} columns", data.scaling.columns()),
                  with_commas(parameter_count(classifier)), train.training.threads));
  if (train.data.unique) note(fmt::format("{} duplicates left out", with_commas(data.duplicates)));
  note_skipped(train.bad);

  Workers workers(train.training.threads);
  ClassificationTask task(classifier, data.parts[0], data.parts[1], train.training, train.task);
  describe(train.training.others, train.task);
  describe_split(train.training.others, train.data.files, Cut::at_random);
  const TrainingRecord record = models::train(task, train.training, workers);
  nlohmann::json json = report(train.training, task.card(), record, parameter_count(classifier));
  json["duplicates"] = data.duplicates;
  json["skipped"] = train.bad.skipped();
  json["labels"] = data.labels.size();
  if (vectors) json["vectors_found"] = vectors->ids.size();
  std::vector<Measure> test;
  if (data.parts[2].size() > 0)
    test = measures(evaluate(classifier, data.parts[2], workers), train.model.many_labels);
  print_run(std::move(json), record, train.training.out, train.json, test);
}

struct Eval {
  std::vector<std::string> models;
  ClassifierFormat format;
  Measuring measuring;
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
  for (const std::string& path : eval.models) ensemble.push_back(load_classifier(path));
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

struct Predict {
  std::string model, data = "-";
  int threads = 1;
};

// Predictions are printed as the input is read: a file may be larger than memory.
class Predictor {
 public:
  Predictor(const SavedClassifier& classifier, Workers& workers)
      : classifier_(classifier), workers_(workers) {}

  void add_text(std::string_view text) {
    auto& ids = data_.texts.emplace_back();
    for (const std::string& token : tokens_of(text, classifier_.text))
      ids.push_back(classifier_.vocabulary.id(token));
    if (data_.size() == kChunk) flush();
  }
  void add_series(const Series& series) {
    data_.series.push_back(series);
    if (data_.size() == kChunk) flush();
  }
  void flush() {
    if (data_.size() == 0) return;
    const ClassifierScore score = evaluate(classifier_, data_, workers_);
    for (std::size_t i = 0; i < data_.size(); ++i) {
      std::string labels;
      for (const int label : score.predicted[i])
        labels += (labels.empty() ? "" : "|") + classifier_.labels.name(label);
      fmt::print("{}\t{:.4f}\n", labels, score.probability[i]);
    }
    std::fflush(stdout);
    data_ = {};
  }

 private:
  static constexpr std::size_t kChunk = 1024;
  const SavedClassifier& classifier_;
  Workers& workers_;
  LabelledSequences data_;
};

void run(const Predict& predict) {
  const SavedClassifier classifier = load_classifier(predict.model);
  Workers workers(predict.threads);
  Predictor predictor(classifier, workers);
  if (classifier.reads_text()) {
    Lines lines("classify", predict.data);
    while (lines.next()) {
      const std::string_view text = lines.text();
      if (text.find_first_not_of(" \t") == std::string_view::npos) lines.reject("an empty line", "a text");
      predictor.add_text(text);
    }
  } else {
    BadRows refuse;
    const auto columns = static_cast<Index>(classifier.scaling.columns());
    read_time_series(predict.data, refuse, [&](const TimeSeries& row) {
      if (row.series.columns != columns)
        reject("classify", row.place, fmt::format("a series of {} dimensions", row.series.columns),
               fmt::format("{} as in training", columns));
      predictor.add_series(row.series);
    });
  }
  predictor.flush();
}

void add_format(CLI::App& app, ClassifierFormat& format) {
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
  train.app = &app;
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
  app.add_option("--model", predict.model, "file that `unroll classify train` wrote")->required();
  app.add_option("--data", predict.data, "file to read; - for standard input")->capture_default_str();
  add_threads(app, predict.threads);
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
