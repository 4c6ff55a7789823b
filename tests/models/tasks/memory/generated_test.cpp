#include "models/tasks/memory/generated.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/tasks/memory/recall.h"
#include "nn/initialise.h"

namespace unroll::models {

namespace {

const Progress::Settings kSilent{.style = Progress::Style::silent};

std::vector<Generator> generators(std::size_t count) {
  std::vector<Generator> each;
  for (std::size_t i = 0; i < count; ++i) each.push_back(Generator(i).split());
  return each;
}

double squared_error_of_one(const Adding::Batch& batch) {
  double sum = 0;
  for (const float y : batch.targets) sum += (y - 1) * (y - 1);
  return sum / static_cast<double>(batch.targets.size());
}

}  // namespace

TEST_CASE("adding: two marks, one a half, whose numbers make the target") {
  Generator g(1);
  const Adding problem(9, {.hidden = 4}, g);
  auto each = generators(2000);
  const Adding::Batch batch = problem.draw(each);
  for (std::size_t b = 0; b < 2000; ++b) {
    double sum = 0;
    int marks[2] = {0, 0};
    for (std::size_t t = 0; t < 9; ++t) {
      const float* step = &batch.inputs[2 * (t * 2000 + b)];
      sum += step[0] * step[1];
      marks[t >= 4] += step[1] == 1;
    }
    REQUIRE(sum == doctest::Approx(batch.targets[b]));
    REQUIRE((marks[0] == 1 && marks[1] == 1));
  }
  CHECK(squared_error_of_one(batch) == doctest::Approx(1.0 / 6).epsilon(0.1));
}

TEST_CASE("copy memory: what came first is to be said last; forgetting it costs 10 ln 8 / (T + 20)") {
  Generator g(1);
  const CopyMemory problem(30, {.hidden = 4}, g);
  auto each = generators(3);
  const CopyMemory::Batch batch = problem.draw(each);
  CHECK(batch.layout.steps() == 50);
  for (std::size_t b = 0; b < 3; ++b)
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(batch.inputs[i * 3 + b] >= 1);
      CHECK(batch.inputs[i * 3 + b] <= 8);
      CHECK(batch.inputs[i * 3 + b] == batch.targets[(40 + i) * 3 + b]);
      CHECK(batch.inputs[(40 + i) * 3 + b] == 9);
      CHECK(batch.targets[i * 3 + b] == 0);
    }
  CHECK(batch.inputs[38 * 3] == 0);
  CHECK(batch.inputs[39 * 3] == 9);
}

TEST_CASE("generated tasks: a small adding problem and a small memory are learned") {
  Generator g(1);
  const NetOptions net{.cell = CellKind::gru, .hidden = 24};
  Adding adding(10, net, g);
  const TrainingOptions options{.epochs = 16, .batch = 32, .lr = 0.01, .schedule = "cosine", .clip = 1};
  GeneratedTask<Adding> add(adding, net, options, {.batches = 50, .measured = 256});
  Workers workers(2);
  train(add, options, workers, kSilent);
  CHECK(add.test(workers)[0].value < 0.01);

  const NetOptions wide{.cell = CellKind::gru, .hidden = 48};
  CopyMemory copy(5, wide, g);
  copy.net.remember(15, g);
  GeneratedTask<CopyMemory> memory(copy, wide, options, {.batches = 50, .measured = 256});
  train(memory, options, workers, kSilent);
  const auto test = memory.test(workers);
  CHECK(test[0].value < 0.8 * 10 * std::log(8) / 25);
  CHECK(test[1].value > 0.3);
}

TEST_CASE("generated tasks: the sequences of an epoch do not depend on the number of workers") {
  Generator g(1);
  const NetOptions net{.hidden = 8};
  Adding problem(6, net, g);
  GeneratedTask<Adding> task(problem, net, {.batch = 10}, {.batches = 2, .measured = 20});
  auto loss = [&](int threads) {
    Workers workers(threads);
    Generator order(5), noise(1);
    task.begin_epoch(order);
    std::vector<Tally> tallies(static_cast<std::size_t>(threads));
    workers.run([&](Worker& worker) {
      tallies[static_cast<std::size_t>(worker.index)] = task.learn(1, {worker.index, threads}, worker, noise);
    });
    Tally all;
    for (const Tally& t : tallies) all.add(t);
    return all;
  };
  const Tally one = loss(1), three = loss(3);
  CHECK(one.weight == 10);
  CHECK(three.weight == 10);
  CHECK(one.loss == doctest::Approx(three.loss));
}

TEST_CASE("recall: the watched gradients are those of differences, and stay below the bound") {
  Generator g(1);
  Recall<nn::Elman> model(12, 6, g);
  initialise::orthogonal(model.cell.weight_hh, g, 0.9);
  auto each = generators(1);
  const RecallBatch batch = model.draw(each);
  const std::vector<double> norms = model.gradient_norms(batch);
  REQUIRE(norms.size() == 12);
  for (std::size_t t = 0; t + 1 < norms.size(); ++t) {
    CHECK(norms[t] > 0);
    CHECK(norms[t] <= norms.back() * std::pow(0.9, static_cast<double>(11 - t)) * (1 + 1e-5));
  }
  // The last state's gradient is (sigmoid(logit) - bit) times the output weights.
  Tape tape;
  const double loss = model(tape, batch, nullptr).loss.item();
  double weights = 0;
  for (const double w : model.output.weight.value().values()) weights += w * w;
  CHECK(norms.back() == doctest::Approx((1 - std::exp(-loss)) * std::sqrt(weights)).epsilon(1e-4));
}

TEST_CASE("biases for long memories: gates that close slowly, and none for Elman") {
  Generator g(1);
  for (const CellKind cell : {CellKind::gru, CellKind::lstm}) {
    Encoder encoder(2, {.cell = cell, .hidden = 200, .bidirectional = true}, g);
    encoder.remember(1000, g);
    for (const auto& [name, p] : parameters(encoder))
      if (name.ends_with("bias")) {
        constexpr Index gate = 200, first = gate;  // f of i f g o, z of r z n
        double largest = 0;
        for (Index i = first; i < first + gate; ++i) {
          CHECK(p->value().at(i) >= 0);
          largest = std::max(largest, p->value().at(i));
        }
        CHECK(largest > std::log(900.0));
        CHECK(largest < std::log(1000.0));
      }
  }
  Encoder elman(2, {.cell = CellKind::elman, .hidden = 4}, g);
  CHECK_THROWS_AS(elman.remember(10, g), Error);
}

}  // namespace unroll::models
