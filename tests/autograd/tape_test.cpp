#include "autograd/tape.h"
#include "autograd/gathered_rows.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ops/ops.h"
#include "tests/allocation_count.h"

using namespace unroll;
using Numbers = std::vector<double>;

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

TEST_CASE("a tensor's numbers are borrowed without a copy") {
  const Tensor numbers = Tensor::from({2, 2}, {1, 2, 3, 4});
  Tape tape;
  Gradients gradients;
  const Var x = tape.borrow(numbers), y = tape.variable(numbers);
  CHECK(x.view<float>().data == numbers.view<float>().data);
  tape.backward(sum(x * y), gradients);
  CHECK(tape.gradient(y).values() == numbers.values());
  const Tensor nothing;
  CHECK_THROWS_WITH_AS(tape.borrow(nothing), doctest::Contains("[borrow] an empty tensor came"), Error);
  const Tensor precise({2}, f64);
  CHECK_THROWS_WITH_AS(
      tape.borrow(precise),
      doctest::Contains("[borrow] a tensor of f64 came; needed f32, or a copy by constant()"), Error);
}

TEST_CASE("a leaf knows the line that made it, and whose numbers it has") {
  Tape tape;
  const Parameter p("p", {2});
  auto leaf = [&](Var v) { return tape.records().provenance(tape.buffer(v.index())); };
  const int line = __LINE__ + 1;
  const Var constant = tape.constant(Tensor({2}));
  const Var zeros = tape.zeros({2});
  const Var variable = tape.variable(Tensor({2}));
  const Var snapshot = tape.snapshot(zeros);
  const Var stopped = tape.stop_gradient(snapshot);
  int i = 0;
  for (const Var v : {constant, zeros, variable, snapshot, stopped}) {
    REQUIRE(leaf(v));
    CHECK(std::string(leaf(v)->location.file).ends_with("tape_test.cpp"));
    CHECK(leaf(v)->location.line == line + i++);
  }
  CHECK(leaf(constant)->of == autograd::kNone);
  CHECK(leaf(snapshot)->of == zeros.index());
  CHECK(leaf(stopped)->of == snapshot.index());
  CHECK(leaf(tape.parameter(p))->location.line == 0);
  CHECK(leaf(exp(zeros)) == nullptr);
  CHECK(leaf(tape.rows(constant, 0, 1))->location.line == line);
}

#if !UNROLL_SANITIZED_MEMORY
TEST_CASE("a value that there is no memory for is refused, with its shape and size") {
  Tape tape;
  const Index n = 1 << 24;
  (void)tape.zeros({2, 2});
  const std::size_t before = tape.usage().total();
  CHECK_THROWS_WITH_AS(tape.zeros({n, n}),
                       doctest::Contains("[full] a value of shape [16777216, 16777216] came, of "
                                         "1125899906842624 bytes; needed one that there is memory for ("),
                       Error);
  CHECK(tape.usage().total() == before);
  CHECK_THROWS_WITH_AS(autograd::GatheredRows(tape, {n, n}),
                       doctest::Contains("[gathered rows] a value of shape"), Error);
  // An op's output; its node is taken back.
  const std::size_t values = tape.values().size() + 2;
  CHECK_THROWS_WITH_AS(
      matmul(tape.rows(tape.zeros({n, 1}), 0, n), tape.zeros({1, n})),
      doctest::Contains(
          "[matmul] an output of shape [16777216, 16777216] came; needed one that there is memory for"),
      Error);
  CHECK(tape.nodes().empty());
  CHECK(tape.values().size() == values + 1);
  CHECK(matmul(tape.zeros({2, 2}), tape.zeros({2, 2})).shape() == Shape{2, 2});
}
#endif

TEST_CASE("a snapshot stays when the numbers change, and no gradient flows through it") {
  Tape tape;
  std::vector<float> numbers{1, 2, 3, 4};
  const Var x = tape.borrow(reinterpret_cast<std::byte*>(numbers.data()), {2, 1}, 2);
  const Var copy = tape.snapshot(x);
  numbers = {5, 6, 7, 8};
  CHECK(x.tensor().values() == Numbers{5, 7});
  CHECK(copy.tensor().values() == Numbers{1, 3});
  Gradients gradients;
  const Var v = tape.variable(Tensor::from({1}, {2}));
  tape.backward(sum(v * tape.snapshot(v)), gradients);
  CHECK(tape.gradient(v).values() == Numbers{2});
}

TEST_CASE("each recurrence of a pass has a number of its own; steps belong to it") {
  Tape tape;
  CHECK(tape.recurrence() == autograd::kNone);
  CHECK(tape.time_step() == -1);
  const std::uint32_t first = tape.new_recurrence(), second = tape.new_recurrence();
  CHECK(first != second);
  {
    const auto outer = tape.at_step(first, 7);
    {
      const auto inner = tape.at_step(second, 0);
      CHECK(tape.recurrence() == second);
      CHECK(tape.time_step() == 0);
    }
    CHECK(tape.recurrence() == first);
    (void)exp(tape.zeros({1}));
  }
  (void)exp(tape.zeros({1}));
  CHECK(tape.nodes()[0].recurrence == first);
  CHECK(tape.nodes()[0].step == 7);
  CHECK(tape.nodes()[1].recurrence == autograd::kNone);
  CHECK(tape.nodes()[1].step == -1);
  tape.clear();
  CHECK(tape.new_recurrence() == first);
}
