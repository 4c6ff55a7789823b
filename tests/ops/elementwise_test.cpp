#include "ops/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "ops/reduce.h"

using namespace unroll;

namespace {

struct Result {
  double value, by_x, by_y;
};

Result power(DType dtype, double base, double exponent, bool constant) {
  Tape tape(dtype);
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({1}, {base})), y = tape.variable(Tensor::from({1}, {exponent}));
  const Var z = constant ? pow(x, exponent) : pow(x, y);
  tape.backward(sum(z), gradients);
  return {z.item(), tape.gradient(x).at(0), tape.gradient(y).at(0)};
}

}  // namespace

TEST_CASE("powers of zero and powers of degree zero have their value and slope") {
  for (DType dtype : {f32, f64})
    for (bool constant : {true, false}) {
      CAPTURE(constant);
      CHECK(power(dtype, 0, 0, constant).value == 1);
      CHECK(power(dtype, 0, 0, constant).by_x == 0);
      CHECK(power(dtype, 0, 0, constant).by_y == 0);
      CHECK(power(dtype, 0, 1, constant).value == 0);
      CHECK(power(dtype, 0, 1, constant).by_x == 1);
      CHECK(power(dtype, 0, 2, constant).by_x == 0);
      CHECK(power(dtype, 0, 3, constant).value == 0);
      CHECK(std::isinf(power(dtype, 0, -1, constant).value));
      CHECK(std::isinf(power(dtype, 0, 0.5, constant).by_x));
      CHECK(power(dtype, 3, 0, constant).by_x == 0);
      CHECK(power(dtype, -2, 3, true).value == -8);
      CHECK(power(dtype, -2, 3, true).by_x == 12);
      CHECK(power(dtype, 3, 3, true).value == 27);
    }
}
