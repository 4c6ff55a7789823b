#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "autograd/inspect/inspect.h"
#include "autograd/inspect/page/page.h"
#include "models/data/piano_rolls.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/tasks/classify/data.h"
#include "models/tasks/classify/task.h"
#include "models/tasks/forecast/task.h"
#include "models/tasks/language/notes.h"
#include "models/tasks/language/task.h"
#include "models/tasks/tag/task.h"
#include "models/training/inspection.h"
#include "models/training/progress.h"

namespace unroll::models {

namespace {

using autograd::fail;

constexpr Index kTextWindow = 64;  // time steps, where --bptt is 0

struct Inspect {
  const CLI::App* app = nullptr;
  std::string model, data, report = "report.html";
  TrainingOptions training{.batch = 16};
  Index number = 0;
  std::string format, column;
  std::vector<std::string> except;
  BadRows bad;
  bool json = false, listing = false, dot = false, trace = false;
  std::string text;  // of the form that was asked for
};

// What --format means for this kind of model.
template <class Form>
std::optional<Form> form_of(const Inspect& inspect, const auto& forms) {
  Form form{};
  if (inspect.format.empty()) return {};
  if (!find_word(inspect.format, forms, form))
    fail("inspect", fmt::format("--format {} came for {}; needed {}", nn::in_quotes(inspect.format),
                                nn::in_quotes(inspect.data), alternatives(forms)));
  return form;
}

std::string name_of(const std::string& path) {
  const std::filesystem::path name = std::filesystem::path(path).filename();
  return name.empty() ? path : name.string();
}

template <TrainingTask T>
nlohmann::json look_into(T&& task, Inspect& inspect) {
  const auto also = [&](const Tape& tape, const inspect::Recorder& recorder) {
    std::ostringstream out;
    if (inspect.listing) out << inspect::Listing(tape);
    if (inspect.dot) out << inspect::to_dot(inspect::graph_of(tape));
    if (inspect.trace) write_trace(recorder.profile(), out);
    inspect.text = out.str();
  };
  return inspect_batch(any_task(task), inspect.number, inspect.training,
                       {.title = fmt::format("{} on {}", name_of(inspect.model), name_of(inspect.data))},
                       also);
}

nlohmann::json inspect_classifier(Inspect& inspect) {
  SavedClassifier classifier = load_model<SavedClassifier>(inspect.model);
  const LabelledFormat format{.form = form_of<LabelledForm>(inspect, kLabelledForms),
                              .many_labels = classifier.options.many_labels,
                              .except = inspect.except};
  const LabelledSequences data = read_labelled_sequences(classifier, inspect.data, format, inspect.bad);
  return look_into(ClassificationTask(classifier, data, {}, inspect.training), inspect);
}

nlohmann::json inspect_tagger(Inspect& inspect) {
  SavedTagger tagger = load_model<SavedTagger>(inspect.model);
  const TaggedForm form = form_of<TaggedForm>(inspect, kTaggedForms).value_or(tagged_form_of(inspect.data));
  const TaggedData data =
      read_tagged_data(tagger, inspect.data, {form, tag_column(form, inspect.column)}, inspect.bad);
  return look_into(TaggingTask(tagger, data, {}, inspect.training), inspect);
}

nlohmann::json inspect_forecaster(Inspect& inspect) {
  SavedForecaster forecaster = load_model<SavedForecaster>(inspect.model);
  const NumberTable table = read_number_table(inspect.data, forecaster.options.inputs, inspect.bad);
  return look_into(ForecastTask(forecaster, table, {}, inspect.training), inspect);
}

nlohmann::json inspect_language_model(Inspect& inspect) {
  SavedLanguageModel saved = load_model<SavedLanguageModel>(inspect.model);
  TokenStore store;
  read_tokens(inspect.data, saved.options.tokens, saved.vocabulary, inspect.bad, store);
  if (inspect.training.bptt == 0) inspect.training.bptt = kTextWindow;
  return look_into(LanguageTask(saved, store.ids(), {}, inspect.training), inspect);
}

nlohmann::json inspect_note_model(Inspect& inspect) {
  SavedNoteModel saved = load_model<SavedNoteModel>(inspect.model);
  const PianoRolls rolls = read_piano_rolls(inspect.data);
  return look_into(NoteTask(saved, rolls.test, {}, inspect.training), inspect);
}

struct Kind {
  const char* name;
  nlohmann::json (*look)(Inspect&);
  std::initializer_list<const char*> useless;  // options
};
const Kind kKinds[] = {
    {AboutClassifier::kind, inspect_classifier, {"column"}},
    {AboutTagger::kind, inspect_tagger, {"except"}},
    {AboutForecaster::kind, inspect_forecaster, {"column", "except", "format"}},
    {AboutLanguageModel::kind, inspect_language_model, {"column", "except", "format"}},
    {AboutNoteModel::kind, inspect_note_model, {"column", "except", "format", "skip-bad"}}};

nlohmann::json report_on(Inspect& inspect) {
  const ModelFile file(inspect.model);
  std::vector<const char*> known;
  for (const Kind& kind : kKinds) {
    known.push_back(kind.name);
    if (file.card().kind != kind.name) continue;
    Usage{*inspect.app}(kind.useless, false, fmt::format("a {}", kind.name), "a model that has a use for it");
    return kind.look(inspect);
  }
  file.reject(fmt::format("holds a model of the kind {}; needed one of: {}", nn::in_quotes(file.card().kind),
                          fmt::join(known, ", ")));
}

void print(const nlohmann::json& report, const Inspect& inspect) {
  const nlohmann::json& summary = report["summary"];
  const auto number = [&](const char* key) { return with_commas(summary[key].get<Index>()); };
  fmt::print("{}\nloss {:.4f}; {} parameters, {} time steps, {} nodes, {:.1f} MB\n\n",
             report["title"].get<std::string>(),
             summary["loss"].is_number() ? summary["loss"].get<double>() : std::nan(""), number("parameters"),
             number("steps"), number("nodes"), 1e-6 * summary["bytes"].get<double>());
  for (const nlohmann::json& line : report["findings"]) fmt::print("{}\n", line.get<std::string>());
  fmt::print("\n{} shows the rest\n", inspect.report);
}

void run(Inspect inspect) {
  const nlohmann::json report = report_on(inspect);
  note_skipped(inspect.bad);
  inspect::write_page(inspect.report, report);
  if (inspect.json)
    fmt::print("{}\n", report.dump());
  else if (!inspect.text.empty())
    fmt::print("{}", inspect.text);
  else
    print(report, inspect);
}

}  // namespace

void add_inspect(CLI::App& program) {
  auto [app, inspect] = add_command<Inspect>(
      program, "inspect",
      "Look into a model: what becomes of gradients, gates, time and memory in one batch, as an HTML page.");
  inspect.app = &app;
  app.add_option("MODEL", inspect.model, "file that `unroll` wrote")->required();
  app.add_option("--data", inspect.data, "what it reads: texts, series, sentences or a table, as in training")
      ->required();
  add_output(app, "--report", inspect.report, kPage, "HTML file to write")->capture_default_str();
  app.add_option("--batch", inspect.training.batch, "sequences that are learned from at once")
      ->check(in_range(Range<Index>{1, 1 << 20}))
      ->capture_default_str();
  app.add_option("--number", inspect.number,
                 "which batch of the shuffled data, from 1; 0 for the one of the first eight that has the "
                 "longest sequences")
      ->check(in_range(Range<Index>{0, 1 << 30}))
      ->capture_default_str();
  app.add_option("--bptt", inspect.training.bptt,
                 "time steps that the gradient goes back; 0 for all, of a text 64")
      ->check(in_range(Range<Index>{0, 1 << 20}))
      ->capture_default_str();
  app.add_option("--format", inspect.format,
                 fmt::format("of labelled texts: {}; of tagged sentences: {}", alternatives(kLabelledForms),
                             alternatives(kTaggedForms)))
      ->default_str("as it looks");
  app.add_option("--except", inspect.except, "files of the folder that are no labels")->delimiter(',');
  app.add_option("--column", inspect.column, "of the tag, of tagged sentences")
      ->default_str("upos, or the last column");
  add_seed(app, inspect.training.seed);
  add_skip_bad(app, inspect.bad);
  add_json(app, inspect.json);
  std::vector<CLI::Option*> forms{app.get_option("--json")};
  for (const auto& [name, flag, what] :
       {std::tuple("--listing", &inspect.listing, "print a line for each operation instead of a summary"),
        std::tuple("--dot", &inspect.dot, "print the graph for Graphviz instead of a summary"),
        std::tuple("--trace", &inspect.trace, "print a timeline for trace viewers instead of a summary")}) {
    CLI::Option* option = app.add_flag(name, *flag, what);
    for (CLI::Option* other : forms) option->excludes(other);
    forms.push_back(option);
  }
}

}  // namespace unroll::models
