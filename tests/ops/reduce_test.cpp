#include "ops/reduce.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/elementwise.h"
#include "ops/segment.h"

using namespace unroll;

TEST_CASE("the first of equal elements gets the gradient of max and min") {
  auto gradient = [](auto f) {
    Tape tape(f64);
    Gradients gradients;
    const Var x = tape.variable(Tensor::from({3, 2}, {1, 7, 7, 7, 1, 0}, f64));
    tape.backward(sum(f(x)), gradients);
    return tape.gradient(x).values();
  };
  using V = std::vector<double>;
  CHECK(gradient([](Var x) { return max(x); }) == V{0, 1, 0, 0, 0, 0});
  CHECK(gradient([](Var x) { return max(x, Axis(0)); }) == V{0, 1, 1, 0, 0, 0});
  CHECK(gradient([](Var x) { return max(x, Axis(1)); }) == V{0, 1, 1, 0, 1, 0});
  CHECK(gradient([](Var x) { return min(x, Axis(0)); }) == V{1, 0, 0, 0, 0, 1});
  CHECK(gradient([](Var x) { return min(x, Axis(-1)); }) == V{1, 0, 1, 0, 0, 1});
  CHECK(gradient([](Var x) { return segment_max(x, Layout::uniform(1, 3)); }) == V{0, 1, 1, 0, 0, 0});
  CHECK(gradient([](Var x) { return segment_max(x, Layout::uniform(3, 1)); }) == V{1, 1, 1, 1, 1, 1});
}

TEST_CASE("a NaN is not lost in a maximum") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (Index at : {0, 1, 20, 39})
    for (DType dtype : {f32, f64}) {
      Tape tape(dtype);
      Tensor numbers({40}, f64);
      numbers.set(at, nan);
      const Var row = tape.constant(numbers), column = tape.reshape(row, {40, 1});
      CHECK(std::isnan(max(row).item()));
      CHECK(std::isnan(min(row).item()));
      CHECK(std::isnan(max(column, Axis(0), Keep::yes).item()));
      CHECK(std::isnan(min(column, Axis(0), Keep::yes).item()));
      CHECK(std::isnan(segment_max(column, Layout::uniform(1, 40)).item()));
    }
}

TEST_CASE("the sum of nothing is 0") {
  Tape tape;
  CHECK(sum(tape.zeros({0})).item() == 0);
  CHECK(sum(tape.zeros({0, 3}), 0).tensor().values() == std::vector<double>{0, 0, 0});
  CHECK(sum(tape.zeros({2, 0}), 1).tensor().values() == std::vector<double>{0, 0});
}

TEST_CASE("a long sum in f32 keeps its accuracy") {
  Tape tape;
  CHECK(sum(tape.full({3000000}, 0.1f)).item() == doctest::Approx(3000000 * double(0.1f)).epsilon(1e-6));
  // Of columns; 2^24 + 1 is no number of f32, and adding ones stops there. The last block is a partial one.
  constexpr Index kRows = (Index{1} << 24) + 700;
  const Var ones = tape.full({kRows, 1}, 1);
  CHECK(sum(ones, 0).item() == static_cast<float>(kRows));
  CHECK(mean(ones, 0).item() == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("sums along an axis over several blocks, with axes before and after") {
  for (DType dtype : {f32, f64}) {
    Tape tape(dtype);
    constexpr Index kSteps = 2500;
    Tensor numbers({2, kSteps, 2, 3}, f64);
    for (Index i = 0; i < numbers.size(); ++i) numbers.set(i, static_cast<double>(i % 1001));
    const Tensor sums = sum(tape.constant(numbers), 1).tensor();
    REQUIRE(sums.shape() == Shape{2, 2, 3});
    for (Index o = 0; o < 2; ++o)
      for (Index i = 0; i < 6; ++i) {
        double expected = 0;
        for (Index k = 0; k < kSteps; ++k) expected += numbers.at((o * kSteps + k) * 6 + i);
        CHECK(sums.at(o * 6 + i) == doctest::Approx(expected).epsilon(1e-6));
      }
    // Columns of a wider value: rows do not follow each other in memory.
    const Var wide = tape.reshape(tape.constant(numbers), {2 * kSteps * 2, 3});
    double expected = 0;
    for (Index r = 0; r < 2 * kSteps * 2; ++r) expected += numbers.at(3 * r + 1);
    CHECK(sum(tape.columns(wide, 1, 2), 0).tensor().at(0) == doctest::Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("max of an axis and max with a number are told apart") {
  Tape tape;
  const Var x = tape.constant(Tensor::from({2}, {-1, 3}));
  CHECK(max(x, 0).tensor().values() == std::vector<double>{0, 3});
  CHECK(max(x, Axis(0)).item() == 3);
}
