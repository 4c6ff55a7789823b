#include "ops/losses.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/matmul.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/segment.h"
#include "ops/softmax.h"

using namespace unroll;

namespace {

Tensor random_tensor(const Shape& shape, Generator& generator) {
  Tensor t(shape, f64);
  for (Index i = 0; i < t.size(); ++i) t.set(i, static_cast<float>(generator.normal()));
  return t;
}

}  // namespace

TEST_CASE("argmax: the first of equal numbers, NaN passed over, 0 without columns") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = -std::log(0.0);
  for (DType dtype : {f32, f64}) {
    Tape tape(dtype);
    auto of = [&](const Shape& shape, std::initializer_list<double> x) {
      return argmax_rows(tape.constant(Tensor::from(shape, x, dtype)));
    };
    CHECK(of({2, 3}, {1, 3, 2, 5, -1, 0}) == std::vector<int>{1, 0});
    CHECK(of({3, 3}, {2, 2, 1, 0, 4, 4, 7, 7, 7}) == std::vector<int>{0, 1, 0});
    CHECK(of({2, 3}, {nan, 1, 2, 1, nan, 0}) == std::vector<int>{2, 0});
    CHECK(of({1, 3}, {nan, nan, nan}) == std::vector<int>{0});
    CHECK(of({2, 2}, {-infinity, -infinity, -infinity, infinity}) == std::vector<int>{0, 1});
    CHECK(of({3}, {1, 2, 0}) == std::vector<int>{1});
    CHECK(of({2, 0}, {}) == std::vector<int>{0, 0});
    CHECK(of({0, 2}, {}).empty());
    // Longer than a register, the largest in every place.
    for (Index n : {15, 16, 17, 40})
      for (Index at = 0; at < n; ++at) {
        Tensor x({1, n}, dtype);
        x.set(at, 1);
        CHECK(argmax_rows(tape.constant(x)) == std::vector<int>{static_cast<int>(at)});
      }
    // A slice of columns.
    const Var wide = tape.constant(Tensor::from({2, 4}, {9, 1, 2, 9, 9, 4, 3, 9}, dtype));
    CHECK(argmax_rows(tape.columns(wide, 1, 2)) == std::vector<int>{1, 0});
  }
}

TEST_CASE("perplexity and bits per character") {
  CHECK(perplexity(0) == 1);
  CHECK(perplexity(std::log(50.0)) == doctest::Approx(50).epsilon(1e-14));
  CHECK(bits_per_character(0) == 0);
  CHECK(bits_per_character(std::log(8.0)) == doctest::Approx(3).epsilon(1e-14));
}

TEST_CASE("large logits cancel: losses and softmax see differences only") {
  const std::vector<int> labels{0};
  for (DType dtype : {f32, f64})
    for (double size : {0.0, 1e3, 1e6, -1e6}) {
      CAPTURE(size);
      // Multiples of 1/16, which f32 still has beside 1e6.
      const Tensor numbers = Tensor::from({1, 3}, {size, size + 0.5, size - 1.25}, dtype);
      const double total = 1 + std::exp(0.5) + std::exp(-1.25);
      const double epsilon = dtype == f32 ? 3e-7 : 1e-15;
      auto near = [epsilon](double x) { return doctest::Approx(x).epsilon(epsilon); };
      Tape tape(dtype);
      Gradients gradients;
      const Var x = tape.variable(numbers), y = tape.variable(numbers);
      const Var loss = cross_entropy(x, labels);
      const Var smoothed = cross_entropy(y, labels, {.label_smoothing = 0.3});
      CHECK(loss.item() == near(std::log(total)));
      CHECK(smoothed.item() == near(std::log(total) - 0.1 * (0.5 - 1.25)));
      const Tensor logs = log_softmax(x).tensor();
      CHECK(logs.at(0) == near(-std::log(total)));
      CHECK(logs.at(1) == near(0.5 - std::log(total)));
      tape.backward(loss + smoothed + sum(logsumexp(x)), gradients);
      // (p - t) of the loss, and p of logsumexp.
      CHECK(tape.gradient(x).at(0) == near(2 / total - 1));
      CHECK(tape.gradient(x).at(1) == near(2 * std::exp(0.5) / total));
      CHECK(tape.gradient(y).at(2) == near(std::exp(-1.25) / total - 0.1));
    }
}

TEST_CASE("the fused loss over several chunks of rows in f32 is that of f64 and of the plain form") {
  constexpr Index kRows = 300, kHidden = 8, kClasses = 9000;  // three chunks of 100 rows
  Generator generator(5);
  const Tensor xs = random_tensor({kRows, kHidden}, generator),
               ws = random_tensor({kHidden, kClasses}, generator), bs = random_tensor({kClasses}, generator);
  std::vector<int> labels(kRows);
  for (int& label : labels) label = static_cast<int>(generator.below(kClasses));
  labels[70] = -1;
  struct Result {
    double loss;
    Tensor x, w, b;
  };
  auto run = [&](DType dtype, bool fused) {
    Tape tape(dtype);
    Gradients gradients;
    const Var x = tape.variable(xs), w = tape.variable(ws), b = tape.variable(bs);
    const Var loss = fused ? linear_cross_entropy(x, w, b, labels) : cross_entropy(affine(x, w, b), labels);
    tape.backward(loss, gradients);
    return Result{loss.item(), tape.gradient(x), tape.gradient(w), tape.gradient(b)};
  };
  auto check_close = [](const Tensor& a, const Tensor& b, double tolerance) {
    double scale = 0, worst = 0;
    for (Index i = 0; i < a.size(); ++i) {
      scale = std::max(scale, std::abs(b.at(i)));
      worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
    }
    CHECK(scale > 0);
    CHECK(worst <= tolerance * scale);
  };
  const Result plain = run(f64, false);
  for (DType dtype : {f32, f64}) {
    const double tolerance = dtype == f32 ? 2e-5 : 1e-12;
    const Result fused = run(dtype, true);
    CHECK(fused.loss == doctest::Approx(plain.loss).epsilon(tolerance));
    check_close(fused.x, plain.x, tolerance);
    check_close(fused.w, plain.w, tolerance);
    check_close(fused.b, plain.b, tolerance);
  }
}

TEST_CASE("without gradients, the fused loss and the maximum over time keep none") {
  const Index hidden = 8, classes = 1000, steps = 100;
  const Parameter weight("weight", {hidden, classes}), rows("rows", {4 * steps, hidden});
  const std::vector<int> labels(4, 3);
  const Layout layout = Layout::uniform(4, steps);
  std::size_t taken[2];
  for (const bool silent : {false, true}) {
    Tape tape;
    const Var x = tape.full({4, hidden}, 0.1), all = tape.parameter(rows);
    auto run = [&] {
      (void)linear_cross_entropy(x, weight, labels);
      (void)segment_max(all, layout);
    };
    if (silent) {
      const auto off = tape.no_gradient();
      run();
    } else {
      run();
    }
    taken[silent] = tape.usage().arena;
  }
  const std::size_t gradient = hidden * classes * sizeof(float), places = 4 * hidden * sizeof(int);
  CHECK(taken[false] - taken[true] >= gradient + places);
}
