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
    net.dropout = 0.3;
  }
  void members(Members& m) { m("words", words), m("net", net), m("pool", pool), m("head", head); }
};

}  // namespace

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
