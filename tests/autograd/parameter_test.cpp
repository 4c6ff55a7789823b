#include "autograd/parameter.h"

#include <doctest/doctest.h>

#include "nn/layers.h"
#include "nn/optimiser.h"
#include "ops/reduce.h"

using namespace unroll;

TEST_CASE("a model may be assigned a copy while an optimiser and a tape hold its parameters") {
  Generator random(1);
  Linear model(3, 2, random);
  Optimiser sgd(parameters(model), Sgd{.learning_rate = 1});
  const Linear best = model;
  CHECK(best.weight.leaf() != model.weight.leaf());
  Tape tape;
  Gradients gradients;
  auto train = [&] {
    tape.backward(sum(model(tape.full({2, 3}, 1))), gradients);
    sgd.step(gradients);
    gradients.clear();
    tape.clear();
  };
  train();
  const std::byte* memory = model.weight.value().raw();
  model = best;
  CHECK(model.weight.value().raw() == memory);
  CHECK(model.weight.value().values() == best.weight.value().values());
  train();
  CHECK(model.weight.value().at(0) == doctest::Approx(best.weight.value().at(0) - 2));
}

TEST_CASE("shapes whose product would overflow are refused") {
  CHECK_THROWS_WITH_AS(Shape({65536, 65536, 65536, 65536}, SourceLocation{}),
                       "[shape] [65536, 65536, 65536, 65536] came; needed extents with a product below 2^56",
                       Error);
  CHECK_THROWS_AS(Shape({1, 2147483647}).with(0, 2147483647), Error);
  CHECK(Shape({1 << 28, 1 << 27}).size() == Index{1} << 55);
}
