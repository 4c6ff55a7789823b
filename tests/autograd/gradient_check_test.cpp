#include "autograd/gradient_check.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string_view>

#include "ops/matmul.h"
#include "ops/pointwise.h"

using namespace unroll;

namespace {

// The value of x^3 with the slope `factor` x^2: right for 3.
struct Cube {
  static constexpr const char* name = "test cube";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 0;
  double factor;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    for (Index c = 0; c < context.out().size(); ++c) {
      const T x = context.in(0).data[c];
      context.out().data[c] = x * x * x;
    }
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const View<T> d = context.add_to(0);
    for (Index c = 0; c < d.size(); ++c) {
      const T x = context.in(0).data[c];
      d.data[c] += context.d_out().data[c] * static_cast<T>(factor) * x * x;
    }
  }
};

auto cube(double factor) {
  return [factor](Tape& tape, std::span<const Var> x) {
    return tape.record(Cube{factor}, {x[0]}, SourceLocation::current());
  };
}

const std::vector<Tensor> kPoint{Tensor::from({2, 2}, {0.3, -1.2, 2.0, 0.5}, f64)};

}  // namespace

TEST_CASE("a right gradient passes both checks, a wrong one fails them with its place") {
  CHECK(check_gradient(cube(3), kPoint).error < 1e-8);
  CHECK(check_projection(cube(3), kPoint).error < 1e-8);

  const GradientCheck wrong = check_gradient(cube(3.001), kPoint);
  CHECK(wrong.error == doctest::Approx(0.001 / 3.001).epsilon(1e-3));
  CHECK(wrong.where.substr(0, 15) == "input 0, elemen");
  CHECK(std::abs(wrong.analytic) == doctest::Approx(std::abs(wrong.numeric) * 3.001 / 3));
  CHECK(check_projection(cube(3.001), kPoint).error == doctest::Approx(0.001 / 3.001).epsilon(1e-3));
}

TEST_CASE("a gradient of NaN is an infinite error") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isinf(check_gradient(cube(nan), kPoint).error));
  CHECK(std::isinf(check_projection(cube(nan), kPoint).error));
}

TEST_CASE("checks of a model leave its parameters as they were") {
  Parameter w("w", {3, 2}, f64), b("b", {2}, f64), frozen("frozen", {2}, f64);
  for (Index i = 0; i < 6; ++i) w.value().set(i, std::sin(double(i)));
  b.value().set(0, 0.25);
  frozen.value().fill(0.5);
  frozen.freeze();
  const std::vector<double> before = w.value().values();
  const NamedParameter parameters[] = {{"w", &w}, {"b", &b}, {"frozen", &frozen}};
  auto f = [&](Tape& tape) {
    Var x = tape.constant(Tensor::from({2, 3}, {1, -2, 0.5, 0.25, 3, -1}));
    return tanh(affine(x, w, b)) * frozen;
  };
  CHECK(check_gradient(f, parameters).error < 1e-8);
  CHECK(check_projection(f, parameters).error < 1e-8);
  CHECK(w.value().values() == before);
}

TEST_CASE("what cannot be checked is refused") {
  Parameter w("cell.weight", {2, 2});
  const NamedParameter parameters[] = {{"cell.weight", &w}};
  auto f = [&](Tape& tape) { return tanh(tape.parameter(w)); };
  CHECK_THROWS_WITH_AS(
      check_gradient(f, parameters, {}, {}),
      "[gradient check] 'cell.weight' of f32 came; needed f64: call convert(model, f64) first", Error);
  int calls = 0;
  auto moody = [&](Tape&, std::span<const Var> x) { return x[0] * double(++calls); };
  CHECK_THROWS_WITH_AS(check_gradient(moody, kPoint, {}, {}),
                       "[gradient check] two values came at one point; needed a function that gives the same "
                       "values each time: make its generator inside",
                       Error);
}

namespace {

// x^3 in ways that one gradient alone does not show.
enum class Fault { none, assigns, reads_unclaimed, reads_late };
template <Fault kFault>
struct FaultyCube {
  static constexpr const char* name = "test faulty cube";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = kFault != Fault::reads_unclaimed, reads_outputs = 0;
  static constexpr bool reads_first = true;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    for (Index c = 0; c < context.out().size(); ++c) {
      const T x = context.in(0).data[c];
      context.out().data[c] = x * x * x;
    }
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const autograd::Into<T> d = context.d_in(0);
    const auto d_out = context.d_out();
    for (Index c = 0; c < d.view.size(); ++c) {
      T x = context.in(0).data[c];
      const bool assign = d.fresh || kFault == Fault::assigns;
      if (kFault == Fault::reads_late) {
        d.view.data[c] = assign ? T(0) : d.view.data[c];
        x = context.in(0).data[c];
        d.view.data[c] += d_out.data[c] * 3 * x * x;
      } else {
        d.view.data[c] = (assign ? T(0) : d.view.data[c]) + d_out.data[c] * 3 * x * x;
      }
    }
  }
};
template <Fault kFault>
Var faulty(Var x) {
  return x.tape().record(FaultyCube<kFault>{}, {x}, SourceLocation::current());
}
template <Fault kFault>
void check_fault(std::string_view suffix) {
  auto of_input = [](Tape&, std::span<const Var> x) { return faulty<kFault>(x[0]); };
  Parameter w("w", {2, 2}, f64);
  w.value() = kPoint[0];
  const NamedParameter parameters[] = {{"w", &w}};
  auto of_parameter = [&](Tape& tape) { return faulty<kFault>(tape.parameter(w)); };
  std::vector<GradientCheck> found{check_gradient(of_input, kPoint), check_projection(of_input, kPoint)};
  if (kFault != Fault::reads_late) {
    found.push_back(check_gradient(of_parameter, parameters));
    found.push_back(check_projection(of_parameter, parameters));
  }
  for (const GradientCheck& check : found) {
    CAPTURE(check.where);
    if (kFault == Fault::none) CHECK(check.error < 1e-8);
    if (kFault != Fault::none) CHECK(check.error > 0.01);
    CHECK(check.where.ends_with(suffix));
  }
}

}  // namespace

TEST_CASE("an op that assigns, or reads what it has not claimed or has overwritten, fails both checks") {
  check_fault<Fault::none>("");
  check_fault<Fault::assigns>(", added to another gradient");
  check_fault<Fault::reads_unclaimed>("");
  check_fault<Fault::reads_late>(", in the place of its values");
}

TEST_CASE("a right gradient is right however steep and curved the function, and near kinks") {
  const auto steep = [](Tape&, std::span<const Var> x) { return sin(pow(exp(x[0]), 3)); };
  for (double at : {2.0, 1.9, 2.3, -3.0}) {
    const std::vector<Tensor> point{Tensor::from({1}, {at}, f64)};
    CHECK(check_gradient(steep, point).error < 1e-7);
    CHECK(check_projection(steep, point).error < 1e-7);
  }
  const auto kinked = [](Tape&, std::span<const Var> x) { return relu(x[0]) + exp(-3 * x[0]) * 0.1; };
  for (double at : {2e-6, 3e-5, 1e-3, -1e-4})
    CHECK(check_gradient(kinked, std::vector{Tensor::from({1}, {at}, f64)}).error < 1e-6);
  const auto far_out = [](Tape&, std::span<const Var> x) { return log(x[0]) * 1e-4 + sqrt(x[0]); };
  for (double at : {1e-3, 1e4, 1e8})
    CHECK(check_gradient(far_out, std::vector{Tensor::from({1}, {at}, f64)}).error < 1e-6);
  // Wrong by little where differences are at their worst.
  const auto wrong = [](Tape& tape, std::span<const Var> x) {
    return sin(cube(3.0001)(tape, std::vector{exp(x[0])}));
  };
  CHECK(check_gradient(wrong, std::vector{Tensor::from({1}, {2}, f64)}).error > 1e-5);
}
