// From the second training step of a fixed shape on, nothing is asked of the heap.
#include <doctest/doctest.h>

#include <vector>

#include "nn/nn.h"
#include "tests/allocation_count.h"

using namespace unroll;

namespace {

struct Model {
  Embedding words;
  Stack<Bidirectional<Lstm>> net;
  Pooling pool;
  Head head;
  explicit Model(Generator& g)
      : words(50, 8, g), pool(Pool::attention, 20, g), head(20, 5, g, {.hidden = {7}, .dropout = 0.2}) {
    net.layers.push_back({Lstm(8, 10, g), Lstm(8, 10, g)});
    net.layers.push_back({Lstm(20, 10, g), Lstm(20, 10, g)});
    net.dropout = {0.3};
  }
  void members(Members& m) { m("words", words), m("net", net), m("pool", pool), m("head", head); }
};

// Ops that make lists of pieces or rows, and options that carry one.
struct ListMaker {
  Embedding words;
  Stack<Unidirectional<Gru>> net;
  Linear head;
  CrossEntropyOptions options{.class_weights = {1, 2, 0.5}};
  explicit ListMaker(Generator& g) : words(50, 8, g), head(16, 3, g) {
    net.layers.push_back({Gru(8, 8, g)});
    net.layers.push_back({Gru(8, 8, g)});
    net.dropout = {0.3, true};
    net.residual = true;
  }
  Var operator()(Tape& tape, std::span<const int> ids, const Layout& layout, std::span<const int> labels,
                 Generator& noise) const {
    const auto result = net({words(tape, ids), &layout}, &noise);
    const auto halves = split(result.outputs.rows, {3, 5}, -1);
    const Var joined = concat({halves[1], halves[0]}, 1);
    const Var mean = segment_mean(joined, layout), around = repeat_over_time(mean, layout);
    const Var last = last_rows(joined - around, layout);
    const Var both = concat({last, ops::mean(stack({mean, result.last}), 0)}, -1);
    const Var mixed = concat({reshape(both, {5, 1, 16}), reshape(both, {5, 1, 16})}, 1);
    return cross_entropy(head(ops::mean(mixed, 1)), labels, options);
  }
  void members(Members& m) { m("words", words), m("net", net), m("head", head); }
};

}  // namespace

TEST_CASE("ops that make lists ask nothing of the heap from the second step on") {
  Generator generator(2);
  ListMaker model(generator);
  Optimiser adam(parameters(model), Adam{});
  const Layout layout(std::vector<int>{5, 3, 7, 7, 1});
  std::vector<int> ids(static_cast<std::size_t>(layout.rows())), labels{0, 1, 2, 0, 1};
  for (int& id : ids) id = static_cast<int>(generator.below(50));
  Tape tape;
  Gradients gradients;
  for (int i = 0; i < 4; ++i) {
    const std::size_t before = tests::allocation_count();
    tape.backward(model(tape, ids, layout, labels, generator), gradients);
    adam.step(gradients);
    gradients.clear();
    tape.clear();
    if (i > 0) CHECK(tests::allocation_count() - before == 0);
  }
}

TEST_CASE("the second training step of a fixed shape makes no heap allocation") {
  Generator generator(1);
  Model model(generator);
  Optimiser adam(parameters(model), Adam{});
  const Layout layout(std::vector<int>{5, 3, 7, 7, 1});
  std::vector<int> ids(static_cast<std::size_t>(layout.rows())), labels{0, 1, 2, 3, 4};
  for (int& id : ids) id = static_cast<int>(generator.below(50));
  Tape tape;
  Gradients gradients;
  auto step = [&] {
    const auto states = model.net({model.words(tape, ids), &layout}, &generator);
    const Var loss = cross_entropy(model.head(model.pool(states), &generator), labels);
    tape.backward(loss, gradients);
    clip_by_global_norm(gradients, 1);
    adam.step(gradients);
    gradients.clear();
    tape.clear();
  };
  step();
  for (int i = 2; i < 5; ++i) {
    const std::size_t before = tests::allocation_count();
    step();
    CHECK(tests::allocation_count() - before == 0);
  }
}
