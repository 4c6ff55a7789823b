#include "models/training/training.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "autograd/inspect/watch/history.h"
#include "models/data/text.h"
#include "models/training/interruption.h"
#include "nn/layers.h"
#include "nn/state.h"
#include "ops/losses.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

// Learns a line from noisy points. Uses everything that a checkpoint must bring back: the order of the data,
// noise, and something carried from batch to batch.
struct LineTask {
  nn::Linear line;
  double bad = 0;  // the loss of one batch is multiplied by it
  int bad_epoch = 0, epoch = 0;
  std::vector<double> given;  // what validation measures, epoch by epoch; empty: the error
  Tensor carried{Shape{1}};
  std::vector<double> xs;
  std::function<void(Index)> before_batch = [](Index) {};
  Index points = 40;
  std::uint64_t data = 1;
  ModelCard model{.kind = "line", .configuration = {{"slope", 2.0}}, .lists = {{"words", {"a", "b"}}}};

  LineTask() {
    Generator g(1);
    line = nn::Linear(1, 1, g);
  }
  std::vector<NamedParameter> parameters() { return nn::parameters(line); }
  ModelCard card() const { return model; }
  const char* unit() const { return "points"; }
  Index units() const { return points; }
  std::uint64_t digest() const { return data; }
  Index begin_epoch(Generator& order) {
    ++epoch;
    xs.clear();
    for (int i = 0; i < 40; ++i) xs.push_back(order.uniform(-1, 1));
    carried.fill(0);
    return points / 4;
  }
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
    if (piece.index == 0) before_batch(batch);
    const Share share = share_of(4, piece.index, piece.count);
    const double memory = piece.index == 0 ? carried.at(0) : 0;
    std::vector<float> x, y;
    for (Index i = share.begin; i < share.end; ++i) {
      x.push_back(static_cast<float>(xs[static_cast<std::size_t>(4 * batch + i)]));
      y.push_back(2 * x.back() + static_cast<float>(0.1 * noise.normal() + 0.01 * memory));
    }
    if (x.empty()) return {};
    if (piece.index == 0) carried.set(0, memory * 0.5 + x[0]);
    const Shape shape{share.size(), 1};
    Var error = mean_squared_error(line(worker.tape.constant(shape, x)), worker.tape.constant(shape, y));
    if (bad_epoch == epoch && batch == 3) error = error * bad;
    const double weight = static_cast<double>(share.size());
    worker.tape.backward(error * (weight / 4), worker.gradients);
    return {.loss = error.item() * weight, .weight = weight, .units = share.size()};
  }
  std::vector<Measure> validate(Workers&) {
    double error = std::abs(line.weight.value().at(0) - 2);
    if (!given.empty()) error = given.at(static_cast<std::size_t>(epoch - 1));
    return {{.name = "error", .value = error}};
  }
  std::vector<NamedTensor> state() { return {{"carried", carried}}; }
  void load_state(std::span<const NamedTensor> state) { carried = state[0].tensor; }
};

const Progress::Settings kSilent{.style = Progress::Style::silent};

TrainingRecord train_line(LineTask& task, const TrainingOptions& options, int threads = 1) {
  Workers workers(threads);
  return train(task, options, workers, kSilent);
}

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// What SIGINT and SIGTERM do while this lives; doctest has handlers of its own for them.
struct Signals {
  std::array<int, 2> which = {SIGINT, SIGTERM};
  std::array<void (*)(int), 2> before;
  explicit Signals(void (*handler)(int)) {
    for (std::size_t i = 0; i < 2; ++i) before[i] = std::signal(which[i], handler);
  }
  ~Signals() {
    for (std::size_t i = 0; i < 2; ++i) std::signal(which[i], before[i]);
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("training: a task is learned, the record tells how") {
  LineTask task;
  const TrainingRecord record = train_line(task, {.epochs = 20, .lr = 0.05});
  CHECK(record.epochs.size() == 20);
  CHECK(record.best().validation[0].value < 0.1);
  CHECK(record.epochs.back().loss < 0.1 * record.epochs.front().loss);
  CHECK(record.epochs[0].gradient > 0);
  CHECK(record.epochs[0].learning_rate == doctest::Approx(0.05));
  CHECK_FALSE(record.epochs[0].accuracy);
}

TEST_CASE("training: who observes it sees every step before and after the update, and changes nothing") {
  struct Recorded : TrainingObserver {
    LineTask& task;
    inspect::History history;
    std::vector<std::string> calls;
    explicit Recorded(LineTask& t) : task(t), history(t.parameters(), 1, 400) {}
    void before_step(std::int64_t step, Workers& workers) override {
      calls.push_back("step");
      CHECK(step == static_cast<std::int64_t>(history.steps().size()));
      CHECK(workers.size() == 2);
    }
    void before_update(const Update& u, Workers& workers) override {
      calls.push_back("before");
      CHECK(workers[1].tape.consumed());
      history.before_update(u.step, {u.loss, u.norm, std::min(u.norm, u.clip)}, u.gradients);
    }
    void after_update(Workers&) override {
      calls.push_back("after");
      history.after_update();
    }
  };
  LineTask seen, unseen;
  Recorded recorded(seen);
  Workers workers(2);
  const TrainingOptions options{.epochs = 3, .lr = 0.05, .clip = 0.5};
  const TrainingRecord record = train(seen, options, workers, kSilent, &recorded);
  train_line(unseen, options, 2);
  CHECK(seen.line.weight.value().at(0) == unseen.line.weight.value().at(0));

  REQUIRE(recorded.calls.size() == 90);
  CHECK(recorded.calls[3] == "step");
  CHECK(recorded.calls[4] == "before");
  CHECK(recorded.calls[5] == "after");
  double loss = 0, norm = 0;
  bool clipped = false;
  for (std::size_t i = 0; i < 10; ++i) {
    const inspect::TrainingStep& step = recorded.history.recorded()[i];
    loss += step.loss / 10;
    norm += step.norm / 10;
    clipped = clipped || *step.clipped_norm < step.norm;
    const auto& [path, gradient, ratio] = recorded.history.parameters()[0];
    const double bias = recorded.history.parameters()[1].gradient[i];
    CHECK(std::hypot(gradient[i], bias) == doctest::Approx(step.norm).epsilon(1e-5));
    CHECK(ratio[i] > 0);
  }
  CHECK(clipped);
  CHECK(loss == doctest::Approx(record.epochs[0].loss));
  CHECK(norm == doctest::Approx(record.epochs[0].gradient));
}

TEST_CASE("training: the best epoch's model is kept, and patience ends the run") {
  LineTask task;
  task.given = {0.9, 0.3, 0.5, 0.3, 0.4, 0.1};
  const TrainingRecord record = train_line(task, {.epochs = 6, .patience = 3});
  CHECK(record.best_epoch == 2);
  CHECK(record.stopped_early);
  CHECK(record.epochs.size() == 5);
  LineTask two;
  two.given = task.given;
  train_line(two, {.epochs = 2});
  CHECK(task.line.weight.value().at(0) == two.line.weight.value().at(0));
}

TEST_CASE("training: a loss that is not finite stops the run by epoch and batch, and leaves the checkpoint") {
  const TemporaryFolder folder;
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    LineTask task;
    task.bad = bad;
    task.bad_epoch = 3;
    const TrainingOptions options{.epochs = 5, .out = folder.file("model")};
    const std::string message = message_of([&] { train_line(task, options); });
    INFO(message);
    CHECK(has(message, "epoch 3, batch 4 of 10: a loss of "));
    CHECK(has(message, bad > 0 ? " made inf out of finite numbers, forward" : " made nan out of "));
    CHECK(has(message, "training_test.cpp:"));
    CHECK(has(message, folder.file("model")));
    // Without the bad batch the run goes on from there, as if nothing had been.
    LineTask resumed, whole;
    TrainingOptions again = options, other = options;
    again.resume = true;
    other.out = folder.file("whole");
    CHECK(train_line(resumed, again).epochs.size() == 5);
    train_line(whole, other);
    CHECK(read_file(folder.file("model")) == read_file(folder.file("whole")));
    std::filesystem::remove(folder.file("model"));
  }
  LineTask task;
  task.given = {std::nan("")};
  CHECK(has(message_of([&] { train_line(task, {.epochs = 1}); }), "epoch 1: a validation error of nan"));
  LineTask parallel;
  parallel.bad = std::nan("");
  parallel.bad_epoch = 1;
  const std::string page = folder.file("page");
  const std::string message =
      message_of([&] { train_line(parallel, {.epochs = 1, .out = folder.file("model"), .inspect = page}); });
  CHECK(has(message, "; " + page + " shows the batch; no checkpoint was written to " + folder.file("model")));
  CHECK_FALSE(std::filesystem::exists(folder.file("model")));
}

TEST_CASE("training: asked to stop, it ends the batch, and goes on with the same bits") {
  const TemporaryFolder folder;
  TrainingOptions options{.epochs = 4, .lr = 0.02, .out = folder.file("whole")};
  LineTask whole;
  train_line(whole, options);
  const Signals usual(SIG_DFL);
  options.out = folder.file("stopped");
  options.resume = true;
  for (const auto& [batch, signal, place] : {std::tuple(Index{6}, SIGINT, "in epoch 1 after batch 7 of 10"),
                                             {2, SIGTERM, "in epoch 2 after batch 3 of 10"},
                                             {9, SIGINT, "after epoch 2"}}) {
    LineTask task;
    task.before_batch = [&, at = batch, which = signal](Index b) {
      if (b == at) ::raise(which);
    };
    int came = 0;
    try {
      train_line(task, options);
    } catch (const Interrupted& e) {
      came = e.signal();
      CHECK(std::string(e.what()) == fmt::format("[training] stopped {}; go on with --resume", place));
    }
    CHECK(came == signal);
  }
  LineTask last;
  CHECK(train_line(last, options).epochs.size() == 4);
  CHECK(read_file(options.out) == read_file(folder.file("whole")));

  LineTask unsaved;
  unsaved.before_batch = [](Index) { ::raise(SIGINT); };
  CHECK(has(message_of([&] { train_line(unsaved, {}); }), "1 of 10; without --out nothing of it is kept"));
}

TEST_CASE("training: asked twice, the process ends; a signal that somebody handles is theirs") {
  const pid_t child = fork();
  if (child == 0) {
    const Signals usual(SIG_DFL);
    LineTask task;
    task.before_batch = [](Index) { ::raise(SIGINT), ::raise(SIGTERM); };
    train_line(task, {});
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);

  const Signals ignored(SIG_IGN);
  LineTask task;
  task.before_batch = [](Index) { ::raise(SIGINT); };
  CHECK(train_line(task, {.epochs = 2}).epochs.size() == 2);
}

// The child is killed, not ended: nothing in it runs after that.
TEST_CASE("training: killed at any moment and resumed, the file has the same bits") {
  const TemporaryFolder folder;
  TrainingOptions options{.epochs = 6,
                          .lr = 0.02,
                          .schedule = "plateau:0:0.5",
                          .out = folder.file("whole"),
                          .checkpoint_every = 0};
  for (const int threads : {1, 2}) {
    LineTask whole;
    options.out = folder.file("whole");
    options.resume = false;
    const TrainingRecord expected = train_line(whole, options, threads);
    const std::string bits = read_file(options.out);
    options.out = folder.file("killed");
    options.resume = true;
    int kills = 0;
    for (const int after : {0, 1, 7, 10, 11, 3, 18}) {  // batches that the child lives to begin
      const pid_t child = fork();
      if (child == 0) {
        LineTask task;
        int begun = 0;
        task.before_batch = [&](Index) {
          if (begun++ == after) ::kill(::getpid(), SIGKILL);
        };
        train_line(task, options, threads);
        ::_exit(0);
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      kills += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    CHECK(kills == 7);
    LineTask last;
    const TrainingRecord record = train_line(last, options, threads);
    CHECK(read_file(options.out) == bits);
    CHECK(record.best_epoch == expected.best_epoch);
    CHECK(last.line.weight.value().at(0) == whole.line.weight.value().at(0));
    // Once more: there is nothing left to do.
    LineTask done;
    done.before_batch = [](Index) { FAIL("a finished run went on"); };
    CHECK(train_line(done, options, threads).epochs.size() == 6);
    CHECK(done.line.weight.value().at(0) == whole.line.weight.value().at(0));
    CHECK(read_file(options.out) == bits);
    std::filesystem::remove(options.out);
  }
}

TEST_CASE("training: an unfinished file can be used, and holds the best model so far") {
  const TemporaryFolder folder;
  LineTask task;
  task.given = {0.5, 0.2, 0.7};
  task.bad = std::nan("");
  task.bad_epoch = 4;
  CHECK_FALSE(message_of([&] { train_line(task, {.epochs = 9, .out = folder.file("model")}); }).empty());
  LineTask best, loaded;
  best.given = task.given;
  train_line(best, {.epochs = 2});
  ModelFile(folder.file("model"), "line").fill(loaded.parameters());
  CHECK(loaded.line.weight.value().at(0) == best.line.weight.value().at(0));
}

TEST_CASE("training: a checkpoint of another run is refused by what differs") {
  const TemporaryFolder folder;
  LineTask task;
  const TrainingOptions options{.epochs = 2, .out = folder.file("model")};
  train_line(task, options);
  auto resumed = [&](auto change, int threads = 1) {
    TrainingOptions other = options;
    other.resume = true;
    change(other);
    return message_of([&] { train_line(task, other, threads); });
  };
  CHECK(resumed([](TrainingOptions&) {}).empty());
  CHECK(has(resumed([](TrainingOptions& o) { o.lr = 0.5; }), "--lr 0.001, and --resume came with --lr 0.5"));
  CHECK(has(resumed([](TrainingOptions& o) { o.seed = 7; }), "--seed 1"));
  CHECK(has(resumed([](TrainingOptions& o) { o.others["split"] = 0.5; }),
            "is of a run with no --split, and --resume came with --split 0.5"));
  CHECK(has(resumed([](TrainingOptions&) {}, 2), "--threads 1"));
  task.model.configuration["slope"] = 3.0;
  CHECK(has(resumed([](TrainingOptions&) {}),
            "is of a run with --slope 2.0, and --resume came with --slope 3.0"));
  task.model.configuration["slope"] = 2.0;
  task.model.lists["words"].push_back("c");
  CHECK(has(resumed([](TrainingOptions&) {}),
            "is of a run whose list 'words' has 2 entries, and --resume came with 3; needed the same"));
  task.model.lists["words"].pop_back();
  CHECK(has(resumed([](TrainingOptions& o) { o.schedule = "cosine"; }),
            "with --schedule constant, and --resume came with --schedule cosine"));
  task.data = 2;
  CHECK(has(resumed([](TrainingOptions&) {}), "is of a run on the data {\"digest\":\"0000000000000001\""));
  task.data = 1;
  CHECK(has(resumed([](TrainingOptions& o) { o.out.clear(); }), "needed the file"));
  nn::write_safetensors(options.out, nn::SafeTensors{{}, to_metadata(task.card())});
  CHECK(has(resumed([](TrainingOptions&) {}), "no file of a training run"));
}

TEST_CASE("training: an unfinished run does not go on without an option that it had, nor on fewer data") {
  const TemporaryFolder folder;
  const TrainingOptions options{.epochs = 2, .out = folder.file("model"), .checkpoint_every = 0};
  TrainingOptions first = options, second = options;
  first.others["split"] = 0.5;
  second.resume = true;
  LineTask task;
  task.before_batch = [](Index batch) {
    if (batch == 7) throw Error("test", "stop");
  };
  CHECK(message_of([&] { train_line(task, first); }) == "[test] stop");
  LineTask other;
  CHECK(has(message_of([&] { train_line(other, second); }),
            "is of a run with --split 0.5, and --resume came with no --split; needed the same"));
  second.others = first.others;
  other.points = 20;
  CHECK(has(message_of([&] { train_line(other, second); }), "\"units\":40}, and --resume came with "));
  CHECK(other.epoch == 0);
}

TEST_CASE("training: a picture that cannot be written is said, and costs nothing else") {
  const TemporaryFolder folder;
  LineTask task, plain;
  const TrainingOptions options{.epochs = 3, .out = folder.file("model")};
  TrainingOptions with_pictures = options;
  with_pictures.plot = folder.file("gone/curves.svg");
  with_pictures.inspect = folder.file("gone/report.html");
  with_pictures.inspect_every = 7;
  CHECK(train_line(task, with_pictures).epochs.size() == 3);
  const std::string bits = read_file(options.out);
  std::filesystem::remove(options.out);
  train_line(plain, options);
  CHECK(read_file(options.out) == bits);
}

TEST_CASE("training: optimisers and schedules by name") {
  for (const char* name : {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw"}) {
    LineTask task;
    const auto epochs = train_line(task, {.epochs = 20, .optimizer = name, .lr = 0.1}).epochs;
    INFO(name);
    CHECK(epochs[19].loss < 0.2 * epochs[0].loss);
  }
  CHECK(has(message_of([] { rule_named("adamm", 1); }), "'adamm' came; needed sgd, "));
  const EpochSchedule decay("decay:4:0.5");
  CHECK(decay.factor(4, 13, 0, 10) == 1);
  CHECK(decay.factor(5, 13, 0, 10) == 0.5);
  CHECK(decay.factor(13, 13, 0, 10) == std::pow(0.5, 9));
  const EpochSchedule cosine("cosine");
  CHECK(cosine.factor(1, 4, 0, 10) == 1);
  CHECK(cosine.factor(3, 4, 0, 10) == doctest::Approx(0.525));
  EpochSchedule plateau("plateau:1:0.1");
  for (const double error : {3.0, 2.0, 2.0}) plateau.report({.name = "error", .value = error});
  CHECK(plateau.factor(5, 9, 0, 1) == doctest::Approx(0.1));
  for (const char* bad : {"", "decay", "decay:4", "decay:4:0", "decay:4:2", "decay:x:0.5", "decay:4:0.5x",
                          "plateau:1:1", "cosine:3"})
    CHECK(has(message_of([&] { EpochSchedule{bad}; }), "needed constant, cosine"));
}

TEST_CASE("training: a record comes back from its JSON") {
  LineTask task;
  const TrainingRecord record = train_line(task, {.epochs = 3, .lr = 0.02});
  const TrainingRecord again = record_from(to_json(record));
  CHECK(to_json(again) == to_json(record));
}

}  // namespace unroll::models
