#include "nn/activation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "autograd/gradient_check.h"
#include "nn/cells.h"
#include "ops/reduce.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;

namespace {
double at(const Activation& f, double x) {
  Tape tape(f64);
  return f(tape.constant(Tensor::from({1}, {x}, f64))).item();
}
}  // namespace

TEST_CASE("an activation is a function, a function with a number, or a small lambda") {
  CHECK(at(relu, -2) == 0);
  CHECK(at(tanh, 0.5) == doctest::Approx(std::tanh(0.5)));  // among the tanh of C and others
  CHECK(at({leaky_relu, 0.1}, -2) == doctest::Approx(-0.2));
  CHECK(at({elu, 2.0}, -1) == doctest::Approx(2 * std::expm1(-1)));
  CHECK(at([](Var x, SourceLocation location) { return leaky_relu(x, 0.3, location); }, -2) ==
        doctest::Approx(-0.6));
  const double low = -0.25, high = 0.75;
  const Activation limited = [low, high](Var x, SourceLocation location) {
    return clamp(x, low, high, location);
  };
  CHECK(at(limited, -2) == low);
  CHECK(at(limited, 2) == high);
  Activation copy = relu;
  copy = limited;
  CHECK(at(copy, 2) == high);
  static_assert(std::is_trivially_copyable_v<Activation>);
}

TEST_CASE("an error of an activation names the caller's line") {
  const Activation f = tanh;
  try {
    f(Var());
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("activation_test.cpp") != std::string::npos);
  }
}

TEST_CASE("an Elman cell takes any activation") {
  Generator generator(1);
  const Layout layout(std::vector<int>{3, 1, 2});
  const Tensor xs = tests::random_tensor({layout.rows(), 2}, 3);
  for (const Activation& g : {Activation(relu), Activation(leaky_relu, 0.2),
                              Activation([](Var x, SourceLocation) { return sin(x); })}) {
    Elman cell(2, 3, generator, g);
    tests::randomise(cell);
    const GradientCheck check = check_gradient(
        [&](Tape& tape) {
          return ops::sum(square(scan(cell, {tape.constant(xs), &layout}).outputs.rows));
        },
        parameters(cell));
    CHECK_MESSAGE(check.error < 1e-6, check.where);
  }
}
