// `unroll demo vanishing` and `unroll demo exploding`: what becomes of a gradient on its way back.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/program/command_line.h"
#include "models/program/commands.h"
#include "models/program/data_options.h"
#include "models/tasks/memory/recall.h"
#include "models/training/chart.h"
#include "nn/initialise.h"

namespace unroll::models {

namespace {

const Progress::Settings kSilent{.style = Progress::Style::silent};
constexpr GeneratedOptions kTask{.batches = 20, .measured = 1024};
constexpr Index kWatched = 256;  // sequences over which norms of gradients are taken

// Options that both have.
struct Shown {
  Index hidden = 32;
  std::uint64_t seed = 1;
  int threads = 1;
  std::string plot;
  bool json = false;
};

void add_shown(CLI::App& app, Shown& shown) {
  app.add_option("--hidden", shown.hidden, "units of the net")
      ->check(in_range(Range<Index>{2, 4096}))
      ->capture_default_str();
  add_seed(app, shown.seed);
  add_threads(app, shown.threads);
  add_output(app, "--plot", shown.plot, kPicture, "SVG file for the picture");
  add_json(app, shown.json);
}

template <nn::Cell C>
std::vector<double> norms_of(const Recall<C>& model) {
  std::vector<Generator> each;
  for (Index i = 0; i < kWatched; ++i) each.emplace_back(static_cast<std::uint64_t>(1000 + i)).next();
  return model.gradient_norms(model.draw(each));
}

// An upper bound of the norm of dL/dh_t: that of dL/dh_T, times the norm of the recurrent matrix, times the
// largest slope of tanh, 1, for each step between (Pascanu, Mikolov and Bengio 2013, section 2.1).
std::vector<double> bound(const std::vector<double>& norms, double matrix_norm) {
  std::vector<double> bounds;
  for (std::size_t t = 0; t < norms.size(); ++t)
    bounds.push_back(norms.back() * std::pow(matrix_norm, static_cast<double>(norms.size() - 1 - t)));
  return bounds;
}

Curve by_step(const std::string& name, const std::vector<double>& norms, int colour, bool dashed = false) {
  Curve s{.name = name, .x = {}, .y = norms, .colour = colour, .dashed = dashed, .points = false};
  for (std::size_t t = 0; t < norms.size(); ++t) s.x.push_back(static_cast<double>(t + 1));
  return s;
}

void write_picture(const std::string& path, const std::string& title, const std::string& subtitle,
                   const std::vector<Chart>& charts) {
  write_svg(path, title, subtitle, charts);
  note(path + " shows it");
}

// -- Vanishing.

struct Vanishing {
  std::vector<Index> lengths = {10, 20, 40, 80, 160};
  int epochs = 15;
  double lr = 0.005;
  double norm = 0.9;
  Shown shown;
};

struct Outcome {
  std::string cell;
  Index length;
  std::vector<double> before, after;  // norms of the gradient, by time step
  std::vector<double> bound;          // of those before training, where there is one
  double accuracy;
};

template <nn::Cell C>
Outcome outcome_of(const char* name, Index length, const Vanishing& demo) {
  Generator generator(demo.shown.seed);
  Recall<C> model(length, demo.shown.hidden, generator);
  if constexpr (std::is_same_v<C, nn::Elman>)
    initialise::orthogonal(model.cell.weight_hh, generator, demo.norm);
  Outcome outcome{name, length, norms_of(model), {}, {}, 0};
  if constexpr (std::is_same_v<C, nn::Elman>) outcome.bound = bound(outcome.before, demo.norm);
  Workers workers(demo.shown.threads);
  const TrainingOptions options{
      .epochs = demo.epochs, .batch = 64, .lr = demo.lr, .clip = 1, .seed = demo.shown.seed};
  GeneratedTask<Recall<C>> task(model, {}, options, kTask);
  train(task, options, workers, kSilent);
  outcome.after = norms_of(model);
  outcome.accuracy = task.test(workers)[1].value;
  return outcome;
}

constexpr const char* kNames[] = {"elman", "gru", "lstm"};

// Calls see(outcome) as soon as there is one.
template <class See>
std::vector<Outcome> outcomes(const Vanishing& demo, See see) {
  std::vector<Outcome> all;
  auto add = [&](Outcome outcome) { see(all.emplace_back(std::move(outcome))); };
  for (const Index length : demo.lengths) {
    add(outcome_of<nn::Elman>(kNames[0], length, demo));
    add(outcome_of<nn::Gru>(kNames[1], length, demo));
    add(outcome_of<nn::Lstm>(kNames[2], length, demo));
  }
  return all;
}

constexpr double kLeastDrawn = 1e-9;
void cut_off(Chart& chart) {
  for (const Curve& curve : chart.series)
    for (const double y : curve.y)
      if (y > 0 && y < kLeastDrawn) chart.y_low = kLeastDrawn;
}

void plot(const Vanishing& demo, const std::vector<Outcome>& all) {
  const Index longest = all.back().length;
  auto norms = [&](const char* title, std::vector<double> Outcome::*which) {
    Chart chart{.title = title, .x_label = "time step t", .y_label = "norm of dL/dh(t)", .log_y = true};
    for (const Outcome& o : all)
      if (o.length == longest) {
        const int colour = static_cast<int>(chart.series.size());
        chart.series.push_back(by_step(o.cell, o.*which, colour));
      }
    return chart;
  };
  Chart before = norms("before training", &Outcome::before);
  for (const Outcome& o : all)
    if (o.length == longest && !o.bound.empty())
      before.series.push_back(by_step("elman's bound", o.bound, 5, true));
  Chart after = norms("after training", &Outcome::after);
  cut_off(before), cut_off(after);
  Chart learned{.title = "who recalls the bit",
                .x_label = "steps to remember",
                .y_label = "accuracy",
                .percent_y = true,
                .y_low = 0.4,
                .y_high = 1.02};
  for (int c = 0; c < 3; ++c) {
    Curve s{.name = kNames[c], .x = {}, .y = {}, .colour = c};
    for (const Outcome& o : all)
      if (o.cell == kNames[c]) {
        s.x.push_back(static_cast<double>(o.length));
        s.y.push_back(o.accuracy);
      }
    learned.series.push_back(s);
  }
  write_picture(
      demo.shown.plot, "Gradients vanish on their way back",
      fmt::format("A bit is to be recalled after T steps of noise. Left and middle: T = {}.", longest),
      {before, after, learned});
}

void print_row(const Outcome& o) {
  fmt::print("{:>6}  {:<6} {:>24.1e} {:>14} {:>24.1e}  {:>6.1f} %\n", o.length, o.cell,
             o.before.front() / o.before.back(),
             o.bound.empty() ? "" : fmt::format("{:.1e}", o.bound.front() / o.bound.back()),
             o.after.front() / o.after.back(), 100 * o.accuracy);
  std::fflush(stdout);  // the next one takes a while
}

constexpr Index kRows = 9;  // of norms, evenly spaced in time

// Of the last length that was asked for.
void print_norms(const std::vector<Outcome>& all) {
  const std::span<const Outcome> cells = std::span(all).last(std::size(kNames));
  const Index length = cells[0].length, rows = std::min(kRows, length);
  fmt::print("\nnorm of dL/dh(t) before training, {} steps\n{:>6}  {:>9}", length, "t", "bound");
  for (const Outcome& o : cells) fmt::print("  {:>9}", o.cell);
  for (Index row = 0; row < rows; ++row) {
    const auto t = static_cast<std::size_t>((length - 1) * row / (rows - 1));
    fmt::print("\n{:>6}  {:>9.1e}", t + 1, cells[0].bound[t]);
    for (const Outcome& o : cells) fmt::print("  {:>9.1e}", o.before[t]);
  }
  fmt::print(
      "\nThe bound is elman's. A gate of a GRU or LSTM lets up to the whole state pass and adds to it: "
      "a step is bounded\nby numbers above 1 only, which say nothing about what vanishes.\n");
}

void run(const Vanishing& demo) {
  const bool in_words = !demo.shown.json;
  if (in_words)
    fmt::print("{:>6}  {:<6} {:>24} {:>14} {:>24}  {:>8}\n", "steps", "cell", "|dL/dh(1)| / |dL/dh(T)|",
               "bound", "the same after training", "accuracy");
  const std::vector<Outcome> all = outcomes(demo, [&](const Outcome& o) {
    if (in_words) print_row(o);
  });
  if (!demo.shown.plot.empty()) plot(demo, all);
  if (!in_words) {
    nlohmann::json json = {{"matrix_norm", demo.norm}, {"runs", nlohmann::json::array()}};
    for (const Outcome& o : all)
      json["runs"].push_back({{"cell", o.cell},
                              {"length", o.length},
                              {"gradient_norms_before", o.before},
                              {"gradient_norms_after", o.after},
                              {"bound", o.bound.empty() ? nlohmann::json() : nlohmann::json(o.bound)},
                              {"accuracy", o.accuracy}});
    fmt::print("{}\n", json.dump());
    return;
  }
  print_norms(all);
}

// -- Exploding.

struct Exploding {
  Index length = 100;
  int epochs = 30;
  double radius = 1.6;
  double lr = 0.1;
  double clip = 1;
  Shown shown;
};

struct Course {
  double clip;
  std::vector<double> losses, norms;  // by epoch
  double accuracy = 0;
};

Course course_of(const Exploding& demo, double clip, std::vector<double>* before) {
  Generator generator(demo.shown.seed);
  Recall<nn::Elman> model(demo.length, demo.shown.hidden, generator);
  initialise::orthogonal(model.cell.weight_hh, generator, demo.radius);
  if (before) *before = norms_of(model);
  Workers workers(demo.shown.threads);
  const TrainingOptions options{.epochs = demo.epochs,
                                .batch = 64,
                                .optimizer = "sgd",
                                .lr = demo.lr,
                                .clip = clip,
                                .seed = demo.shown.seed};
  GeneratedTask<Recall<nn::Elman>> task(model, {}, options, kTask);
  Course course{clip, {}, {}};
  const TrainingRecord record = train(task, options, workers, kSilent);
  for (const Epoch& e : record.epochs) {
    course.losses.push_back(e.loss);
    course.norms.push_back(e.gradient);
  }
  course.accuracy = task.test(workers)[1].value;
  return course;
}

void plot(const Exploding& demo, const std::vector<double>& before, const std::vector<Course>& courses) {
  Chart norms{
      .title = "before training",
      .x_label = "time step t",
      .y_label = "norm of dL/dh(t)",
      .series = {by_step("measured", before, 0), by_step("bound", bound(before, demo.radius), 5, true)},
      .log_y = true};
  Chart gradient{.title = "gradient of the parameters, before clipping",
                 .x_label = "epoch",
                 .y_label = "mean norm",
                 .log_y = true};
  Chart loss{.title = "loss", .x_label = "epoch", .y_label = "nats"};
  for (const Course& c : courses) {
    const std::string name = c.clip > 0 ? "clipped" : "not clipped";
    gradient.series.push_back(by_step(name, c.norms, c.clip > 0 ? 2 : 1));
    loss.series.push_back(by_step(name, c.losses, c.clip > 0 ? 2 : 1));
  }
  write_picture(
      demo.shown.plot, "Gradients explode on their way back",
      fmt::format("A bit is to be recalled after {} steps; the recurrent matrix has a spectral radius "
                  "of {}. Guessing: 0.693 nats.",
                  demo.length, demo.radius),
      {norms, gradient, loss});
}

void run(const Exploding& demo) {
  std::vector<double> before;
  const std::vector<Course> courses = {course_of(demo, 0, &before), course_of(demo, demo.clip, nullptr)};
  if (!demo.shown.plot.empty()) plot(demo, before, courses);
  const std::vector<double> bounds = bound(before, demo.radius);
  if (demo.shown.json) {
    nlohmann::json json = {{"length", demo.length},
                           {"radius", demo.radius},
                           {"gradient_norms", before},
                           {"bound", bounds},
                           {"runs", nlohmann::json::array()}};
    for (const Course& c : courses)
      json["runs"].push_back(
          {{"clip", c.clip}, {"losses", c.losses}, {"gradient_norms", c.norms}, {"accuracy", c.accuracy}});
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("spectral radius {}, {} steps: |dL/dh(1)| / |dL/dh(T)| = {:.1e}, bound {:.1e}\n\n", demo.radius,
             demo.length, before.front() / before.back(), bounds.front() / bounds.back());
  fmt::print("{:<14}{:>12}{:>16}{:>12}\n", "", "last loss", "largest norm", "accuracy");
  for (const Course& c : courses)
    fmt::print("{:<14}{:>12.4f}{:>16.2g}{:>10.1f} %\n",
               c.clip > 0 ? fmt::format("clipped at {}", c.clip) : "not clipped", c.losses.back(),
               *std::max_element(c.norms.begin(), c.norms.end()), 100 * c.accuracy);
}

}  // namespace

void add_demo_vanishing(CLI::App& demos) {
  auto [app, demo] = add_command<Vanishing>(
      demos, "vanishing",
      "A bit is to be recalled after T steps by Elman, GRU and LSTM: the norm of the gradient on its way "
      "back beside the bound of Pascanu et al. 2013, and who learns it.");
  app.add_option("--length", demo.lengths, "steps to remember, several with commas")
      ->delimiter(',')
      ->check(in_range(Range<Index>{2, 100000}))
      ->default_str("10,20,40,80,160");
  app.add_option("--epochs", demo.epochs, "of 20 batches of 64 sequences")
      ->check(in_range(Range<Index>{1, 100000}))
      ->capture_default_str();
  app.add_option("--lr", demo.lr, "learning rate of Adam")
      ->check(in_range(Range<double>{0.0, 10.0}))
      ->capture_default_str();
  app.add_option("--norm", demo.norm, "norm of Elman's recurrent matrix")
      ->check(in_range(Range<double>{0.01, 10.0}))
      ->capture_default_str();
  add_shown(app, demo.shown);
}

void add_demo_exploding(CLI::App& demos) {
  auto [app, demo] = add_command<Exploding>(
      demos, "exploding",
      "An Elman net whose recurrent matrix has a spectral radius above 1 is to recall a bit, without and "
      "with clipping of the gradient.");
  app.add_option("--length", demo.length, "steps to remember")
      ->check(in_range(Range<Index>{2, 100000}))
      ->capture_default_str();
  app.add_option("--epochs", demo.epochs, "of 20 batches of 64 sequences")
      ->check(in_range(Range<Index>{1, 100000}))
      ->capture_default_str();
  app.add_option("--radius", demo.radius, "spectral radius of the recurrent matrix")
      ->check(in_range(Range<double>{0.01, 100.0}))
      ->capture_default_str();
  app.add_option("--lr", demo.lr, "learning rate of gradient descent")
      ->check(in_range(Range<double>{0.0, 1000.0}))
      ->capture_default_str();
  app.add_option("--clip", demo.clip, "largest global norm of the gradient, in the second run")
      ->check(in_range(Range<double>{1e-9, 1e9}))
      ->capture_default_str();
  add_shown(app, demo.shown);
}

}  // namespace unroll::models
