#include "autograd/inspect/watch/forecast.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "nn/nn.h"
#include "ops/reduce.h"
#include "tests/autograd/inspect/footprint.h"
#include "tests/nn/every_cell.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::forecast;
using tests::forecast_error;

namespace {

constexpr Index kIn = 3, kHidden = 4;
const std::vector<std::vector<int>> kLengths = {{1}, {4}, {3, 3}, {5, 2, 2, 3}};

template <class Layer>
void check_layer(Layer layer, const std::string& name) {
  CAPTURE(name);
  for (DType dtype : {f32, f64}) {
    convert(layer, dtype);
    for (const auto& lengths : kLengths) {
      const Layout layout(lengths);
      auto outputs = [&](Tape& tape) {
        return layer(PackedSequence{tape.full({layout.rows(), kIn}, 0.5), &layout});
      };
      auto loss = [&](Tape& tape) {
        const auto result = outputs(tape);
        return ops::sum(square(result.outputs.rows)) + ops::sum(final_state(result));
      };
      CHECK(forecast_error(loss, dtype) == "");
      auto silent = [&](Tape& tape) {
        const auto scope = tape.no_gradient();
        (void)outputs(tape);
        return Var();
      };
      CHECK(forecast_error(silent, dtype) == "");
    }
  }
}

// Bytes of this process in the machine's memory.
std::size_t resident() {
  std::size_t all = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("foretold memory is what is taken: every cell, direction and depth, ragged batches, f32 and f64") {
  tests::each_cell(kHidden, [](const std::string& name, auto make, Index width) {
    for (int depth : {1, 2}) {
      check_layer(tests::one_direction(make, kIn, width, depth), name);
      check_layer(tests::both_directions(make, kIn, width, depth), name + " in both directions");
    }
    check_layer(Unidirectional<decltype(make(kIn))>{make(kIn), Order::reverse}, name + " in reverse");
    check_layer(Unidirectional<decltype(make(kIn))>{make(kIn), Order::forward, 2}, name + ", recomputed");
  });
}

TEST_CASE("foretold memory is what is taken where weights are packed, and by whole models") {
  Generator random(1);
  for (Index batch : {1, 8, 200})
    for (Index hidden : {64, 256}) {
      Stack<Bidirectional<Lstm>> net;
      net.layers.push_back({Lstm(hidden, hidden, random), Lstm(hidden, hidden, random)});
      const Layout layout = Layout::uniform(batch, 3);
      CHECK(forecast_error(
                [&](Tape& tape) {
                  return ops::sum(net({tape.full({3 * batch, hidden}, 0.5), &layout}).outputs.rows);
                },
                f32) == "");
    }

  const Embedding words(50, 16, random);
  Stack<Bidirectional<Gru>> net;
  for (Index in : {16, 48}) net.layers.push_back({Gru(in, 24, random), Gru(in, 24, random)});
  net.dropout = {0.3};
  const LayerNorm norm(48);
  const Layout layout(std::vector<int>{7, 3, 9, 1});
  std::vector<int> ids(20);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int>(i * 7 % 50);
  for (Pool kind : {Pool::last, Pool::mean, Pool::max, Pool::attention}) {
    const Pooling pool(kind, 48, random);
    const Head head(48, 5, random, {.hidden = {12}, .dropout = 0.2});
    const std::vector<int> labels{0, 1, 2, 4};
    auto loss = [&](Tape& tape) {
      Generator noise(3);
      const auto all = net({words(tape, ids), &layout}, &noise);
      return cross_entropy(head(norm(pool(all)), &noise), labels);
    };
    CHECK(forecast_error(loss, f32) == "");
    CHECK(forecast_error(loss, f64) == "");  // where parameters are converted
  }

  Stack<Unidirectional<Lstm>> language;
  language.layers.push_back({Lstm(16, 16, random)});
  const Layout text = Layout::uniform(2, 10);
  Carry carry;
  CHECK(forecast_error(
            [&](Tape& tape) {
              Carry mine = carry;
              const Var rows = language(PackedSequence{words(tape, ids), &text}, mine).outputs.rows;
              return linear_cross_entropy(rows, words.weight, ids, {}, WeightLayout::out_in);
            },
            f32) == "");
}

TEST_CASE("a forecast says what the pass takes, and draws no random numbers") {
  Generator random(1), noise(7), same(7);
  const Linear linear(8, 4, random);
  auto loss = [&](Tape& tape) { return ops::sum(linear(dropout(tape.full({16, 8}, 1), 0.5, noise))); };
  const inspect::Forecast f = forecast(loss, f64);
  CHECK(noise.next() == same.next());
  Tape tape(f64);
  Gradients gradients;
  inspect::Memory memory;
  const auto attached = tape.attach(memory);
  const Var y = loss(tape);
  CHECK(f.forward == tape.usage().total());
  tape.backward(y, gradients);
  CHECK(f.peak.at.bytes == memory.peak().at.bytes);
  CHECK(f.peak.place.op == memory.peak().place.op);
  CHECK(f.held == tape.memory());
  CHECK(f.gradients == (8 * 4 + 4) * 8);
  const inspect::Forecast silent = forecast([&](Tape& t) {
    (void)linear(t.full({16, 8}, 1));
    return Var();
  });
  CHECK(silent.gradients == 0);
  CHECK(silent.peak.at.bytes == silent.forward);
}

TEST_CASE("a pass of many gigabytes is foretold in few megabytes") {
  constexpr Index batch = 4096, steps = 512, hidden = 128;
  Generator random(1);
  const Lstm lstm(hidden, hidden, random);
  const Layout layout = Layout::uniform(batch, steps);
  const std::size_t before = resident();
  std::size_t after = 0;
  const inspect::Forecast f = forecast([&](Tape& tape) {
    const Var rows = scan(lstm, {tape.full({batch * steps, hidden}, 0), &layout}).outputs.rows;
    return ops::sum(rows);
  });
  after = resident();
  // Input, projection, and h and c of each step.
  constexpr std::size_t numbers = std::size_t{batch} * steps * hidden * (1 + 4 + 2);
  CHECK(f.forward > 4 * numbers);
  CHECK(f.forward < 4 * numbers * 101 / 100);
  CHECK(f.peak.at.bytes > f.forward);
  CHECK(after < before + 64 * 1024 * 1024);
}

TEST_CASE("a dry tape gives zeros, or says that it has no numbers") {
  Tape tape(f32, autograd::Dry::yes);
  CHECK(tape.dry());
  const Var x = tape.variable(Tensor::from({2}, {3, 4}, f32));
  int calls = 0;
  const Var y = exp(x);
  tape.on_gradient(y, [&](const Tensor&) { ++calls; });
  const Var z = ops::sum(y);
  CHECK(z.item() == 0);
  CHECK(y.tensor().values() == std::vector<double>{0, 0});
  CHECK_THROWS_WITH_AS(z.view<float>(), doctest::Contains("[view] a value of a dry tape came"), Error);
  Gradients gradients;
  tape.backward(z, gradients);
  CHECK(calls == 0);
  CHECK_THROWS_WITH_AS(tape.gradient(x), doctest::Contains("[gradient] a value of a dry tape came"), Error);
}
