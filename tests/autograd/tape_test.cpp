#include "autograd/tape.h"

#include <doctest/doctest.h>

#include "ops/matmul.h"
#include "ops/pointwise.h"

using namespace unroll;

TEST_CASE("a value and its gradient") {
  for (DType dtype : {f32, f64}) {
    Tape tape(dtype);
    Gradients gradients;
    Var x = tape.variable(Tensor::from({2, 2}, {1, 2, 3, 4}));
    Var w = tape.variable(Tensor::from({2, 1}, {1, -1}));
    Var y = matmul(tanh(x * 0.5), w);
    Var loss = matmul(y, y, Transpose::yes);
    tape.backward(loss, gradients);
    double t[4], y0, y1;
    for (int i = 0; i < 4; ++i) t[i] = std::tanh(0.5 * (i + 1));
    y0 = t[0] - t[1];
    y1 = t[2] - t[3];
    CHECK(loss.item() == doctest::Approx(y0 * y0 + y1 * y1).epsilon(1e-6));
    CHECK(tape.gradient(w).at(0) == doctest::Approx(2 * (y0 * t[0] + y1 * t[2])).epsilon(1e-5));
    CHECK(tape.gradient(x).at(1) == doctest::Approx(-2 * y0 * 0.5 * (1 - t[1] * t[1])).epsilon(1e-5));
  }
}

TEST_CASE("tails, broadcasts and views of a pointwise op") {
  for (Index cols : {1, 3, 16, 17, 40}) {
    Tape tape(f64);
    Gradients gradients;
    Tensor xs({3, 2 * cols}, f64), bs({1, cols}, f64), ms({3, 1}, f64);
    for (Index i = 0; i < xs.size(); ++i) xs.set(i, std::sin(double(i)));
    for (Index i = 0; i < bs.size(); ++i) bs.set(i, std::cos(double(i)));
    for (Index i = 0; i < 3; ++i) ms.set(i, double(i));
    Var x = tape.variable(xs), b = tape.variable(bs), m = tape.variable(ms);
    Var y = pointwise(
        "f", [](auto u, auto v, auto w, auto k) { return sigmoid(u) * v + w * u * k; },
        tape.columns(x, 0, cols), b, tape.columns(x, cols, cols), m);
    Var ones = tape.full({cols, 1}, 1), left = tape.full({1, 3}, 1);
    tape.backward(matmul(left, matmul(y, ones)), gradients);
    for (Index r = 0; r < 3; ++r)
      for (Index c = 0; c < cols; ++c) {
        double u = xs.at(r * 2 * cols + c), w = xs.at(r * 2 * cols + cols + c), v = bs.at(c), k = ms.at(r);
        double s = 1 / (1 + std::exp(-u));
        CHECK(y.tensor().at(r * cols + c) == doctest::Approx(s * v + w * u * k));
        CHECK(tape.gradient(x).at(r * 2 * cols + c) == doctest::Approx(s * (1 - s) * v + w * k));
        CHECK(tape.gradient(x).at(r * 2 * cols + cols + c) == doctest::Approx(u * k));
      }
    for (Index r = 0; r < 3; ++r) {
      double sum = 0;
      for (Index c = 0; c < cols; ++c) sum += xs.at(r * 2 * cols + c) * xs.at(r * 2 * cols + cols + c);
      CHECK(tape.gradient(m).at(r) == doctest::Approx(sum));
    }
  }
}
