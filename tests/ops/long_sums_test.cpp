// Sums over many rows keep their digits in f32, whatever op makes them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "ops/ops.h"

using namespace unroll;

namespace {

constexpr Index kRows = 1 << 20;

// Equal numbers, whose rounding errors all go one way, or numbers of both sizes.
Tensor numbers(const Shape& shape, bool equal) {
  Tensor t(shape);
  for (Index i = 0; i < t.size(); ++i)
    t.view<float>().data[i] = equal ? 0.1f : 0.1f + 0.09f * static_cast<float>(std::sin(0.7 * double(i)));
  return t;
}

using Function = std::function<Var(Tape&, Var small, Var rows)>;

// The gradient of `small`, and the value.
std::vector<Tensor> results(DType dtype, const Function& f, const Tensor& small, const Tensor& rows) {
  Tape tape(dtype);
  Gradients gradients;
  const Var x = tape.variable(small), many = tape.constant(rows);
  const Var y = f(tape, x, many);
  // Derivatives of the outputs that are not all alike where the numbers are not.
  Tensor seed(y.shape(), dtype);
  for (Index i = 0; i < seed.size(); ++i) seed.set(i, rows.at(i % rows.size()));
  tape.backward(y, seed, gradients);
  return {tape.gradient(x), y.tensor()};
}

void check(const std::string& name, const Function& f, const Shape& small, const Shape& rows,
           double limit = 3e-6) {
  for (bool equal : {true, false}) {
    const Tensor a = numbers(small, equal), b = numbers(rows, equal);
    const auto single = results(f32, f, a, b), exact = results(f64, f, a, b);
    double worst = 0;
    for (std::size_t which : {0, 1}) {
      double largest = 0, error = 0;
      for (Index i = 0; i < exact[which].size(); ++i) {
        largest = std::max(largest, std::abs(exact[which].at(i)));
        error = std::max(error, std::abs(single[which].at(i) - exact[which].at(i)));
      }
      worst = std::max(worst, error / largest);
    }
    INFO(name << (equal ? ", equal numbers: " : ": ") << worst);
    CHECK(worst < limit);
  }
}

// Of sums in the lanes of packs: of four numbers at the lowest level, whose sums are longest.
constexpr double kInLanes = 2e-5;

Layout two_sequences() { return Layout::uniform(2, kRows / 2); }

}  // namespace

TEST_CASE("gradients of what is repeated over many rows") {
  check("bias", [](Tape& t, Var b, Var x) { return affine(x, t.full({2, 3}, 0.5), b); }, {3}, {kRows, 2});
  check("row", [](Tape&, Var row, Var x) { return x * row; }, {3}, {kRows, 3});
  check("scalar", [](Tape&, Var s, Var x) { return x * s; }, {}, {kRows, 3});
  check(
      "scalar and one long row", [](Tape&, Var s, Var x) { return x * s; }, {1}, {kRows}, kInLanes);
  check(
      "column and long rows", [](Tape&, Var s, Var x) { return x * s; }, {2, 1}, {2, kRows}, kInLanes);
  check("gain of layer_norm",
        [](Tape& t, Var gain, Var x) {
          return layer_norm(x * t.constant(Tensor::from({2}, {1, 3})), gain, t.zeros({2}));
        },
        {2}, {kRows, 2});
  check("bias of layer_norm",
        [](Tape& t, Var b, Var x) {
          return layer_norm(x * t.constant(Tensor::from({2}, {1, 3})), t.full({2}, 1), b);
        },
        {2}, {kRows, 2});
  check("bias of linear_cross_entropy",
        [](Tape& t, Var b, Var x) {
          return linear_cross_entropy(x, t.constant(Tensor::from({1, 2}, {0.25, -0.5})), b,
                                      std::vector<int>(kRows, 1), {.reduction = ops::Reduction::sum});
        },
        {2}, {kRows, 1});
  check(
      "weight", [](Tape&, Var w, Var x) { return matmul(x, w); }, {2, 3}, {kRows, 2}, 2e-4);
}

TEST_CASE("values that are sums of many terms") {
  check("sum", [](Tape&, Var s, Var x) { return sum(x) * s; }, {}, {kRows, 2});
  check("sum of rows", [](Tape&, Var s, Var x) { return sum(x, 0) * s; }, {2}, {kRows, 2});
  check("mean of columns", [](Tape&, Var s, Var x) { return mean(x, 1) * s; }, {2}, {2, kRows});
  check(
      "logsumexp", [](Tape&, Var s, Var x) { return exp(logsumexp(x)) * s; }, {2}, {2, kRows}, kInLanes);
  check(
      "softmax", [](Tape&, Var s, Var x) { return softmax(x) * s; }, {2, 1}, {2, kRows}, kInLanes);
  check("segment_sum", [](Tape&, Var s, Var x) { return segment_sum(x, two_sequences()) * s; }, {2},
        {kRows, 2});
  check("segment_mean", [](Tape&, Var s, Var x) { return segment_mean(x, two_sequences()) * s; }, {2},
        {kRows, 2});
  check("segment_sum with weights",
        [](Tape&, Var s, Var x) { return segment_sum(x, columns(x, 0, 1), two_sequences()) * s; }, {2},
        {kRows, 2});
  check("segment_softmax", [](Tape&, Var s, Var x) { return segment_softmax(x, two_sequences()) * s; }, {2},
        {kRows, 2});
}

TEST_CASE("the gradient of a bias over 2^22 rows") {
  check("bias", [](Tape& t, Var b, Var x) { return affine(x, t.full({1, 1}, 0.5), b); }, {1}, {4 * kRows, 1});
}
