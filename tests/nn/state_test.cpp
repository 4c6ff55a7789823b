#include "nn/state.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "autograd/gradient_check.h"
#include "nn/cells.h"
#include "nn/recurrent.h"
#include "ops/reduce.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;

TEST_CASE("a random state has the shape of another and normal numbers") {
  Tape tape;
  Generator generator(1), again(1);
  Lstm cell(3, 50, generator, {.projection = 20});
  const Lstm::State like = cell.initial(tape, 40);
  Generator noise(2), same(2);
  const Lstm::State state = random_state(like, 0.5, noise);
  CHECK(state.h.shape() == Shape{40, 20});
  CHECK(state.c.shape() == Shape{40, 50});
  CHECK(state.c.dtype() == f32);
  const auto numbers = state.c.tensor().values();
  double sum = 0, square = 0;
  for (double x : numbers) sum += x, square += x * x;
  const auto n = static_cast<double>(numbers.size());
  CHECK(std::abs(sum / n) < 5 * 0.5 / std::sqrt(n));
  CHECK(std::sqrt(square / n) == doctest::Approx(0.5).epsilon(0.1));
  CHECK(random_state(like, 0.5, same).c.tensor().values() == numbers);
  CHECK(random_state(like, 0.5, same).c.tensor().values() != numbers);
  for (double zero : like.c.tensor().values()) CHECK(zero == 0);
}

TEST_CASE("a recurrence from a random state has the right gradient") {
  Generator generator(3);
  Gru cell(2, 3, generator);
  tests::randomise(cell);
  const Layout layout(std::vector<int>{1, 3, 2});
  const Tensor xs = tests::random_tensor({layout.rows(), 2}, 4);
  const GradientCheck check = check_gradient(
      [&](Tape& tape) {
        Generator noise(5);
        const Var first = random_state(cell.initial(tape, layout.batch()), 1, noise);
        return square(
            scan(cell, {tape.constant(xs), &layout}, Order::forward, std::optional(first)).outputs.rows);
      },
      parameters(cell));
  CHECK_MESSAGE(check.error < 1e-6, check.where);
}

TEST_CASE("a given or carried state needs a row for each sequence, in every field") {
  Generator generator(6);
  Lstm cell(3, 4, generator);
  for (const auto& lengths : std::vector<std::vector<int>>{{1, 2}, {2, 1}, {2, 2}})
    for (Order order : {Order::forward, Order::reverse}) {
      const Layout layout(lengths);
      Tape tape;
      const PackedSequence xs{tape.zeros({layout.rows(), 3}), &layout};
      auto from = [&](const Shape& h, const Shape& c) {
        scan(cell, xs, order, std::optional(Lstm::State{tape.zeros(h), tape.zeros(c)}));
      };
      from({2, 4}, {2, 4});
      const auto message =
          doctest::Contains("[scan] a state of 5 rows came for 2 sequences; needed a row for each");
      CHECK_THROWS_WITH_AS(from({5, 4}, {2, 4}), message, Error);
      CHECK_THROWS_WITH_AS(from({2, 4}, {5, 4}), message, Error);
      CHECK_THROWS_WITH_AS(from({2, 4}, {1, 4}), doctest::Contains("a state of 1 rows came for 2"), Error);
    }

  Bidirectional<Lstm> both{Lstm(3, 4, generator), Lstm(3, 4, generator)};
  const Layout three(std::vector<int>{2, 3, 3}), two(std::vector<int>{1, 2});
  Tape tape;
  const Lstm::State large{tape.zeros({3, 4}), tape.zeros({3, 4})};
  CHECK_THROWS_WITH_AS(
      scan_both(both.forward, both.reverse, {tape.zeros({3, 3}), &two}, {}, std::optional(large)),
      doctest::Contains("a state of 3 rows came for 2 sequences"), Error);

  Stack<Unidirectional<Lstm>> stack;
  stack.layers.push_back({Lstm(3, 4, generator)});
  Carry carry;
  stack({tape.zeros({8, 3}), &three}, carry);
  try {
    stack({tape.zeros({3, 3}), &two}, carry);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("a state of 3 rows came for 2 sequences") != std::string::npos);
    CHECK(std::string(error.location().file).find("state_test.cpp") != std::string::npos);
  }
}

TEST_CASE("a stack without layers is refused") {
  Stack<Unidirectional<Gru>> stack;
  const Layout layout(std::vector<int>{2});
  Tape tape;
  CHECK_THROWS_WITH_AS(stack({tape.zeros({2, 3}), &layout}),
                       doctest::Contains("[stack] no layers came; needed at least one"), Error);
}
