#include "autograd/inspect/watch/jacobian.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/inspect/figures/singular_value.h"
#include "autograd/inspect/watch/flow.h"
#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::Flow;
using inspect::FlowOptions;
using inspect::Jacobian;

namespace {

using Matrix = std::vector<double>;

Matrix product(const Matrix& a, const Matrix& b, std::size_t n) {
  Matrix c(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}
// |W^k| for k = 0, 1, ...
std::vector<double> norms_of_powers(const Tensor& w, std::size_t count) {
  const auto n = static_cast<std::size_t>(w.shape()[0]);
  Matrix power(n * n);
  for (std::size_t i = 0; i < n; ++i) power[i * n + i] = 1;
  std::vector<double> norms;
  const std::vector<double> numbers = w.values();
  for (std::size_t k = 0; k < count; ++k) {
    norms.push_back(inspect::largest_singular_value(power, w.shape()[0], w.shape()[0]));
    power = product(power, numbers, n);
  }
  return norms;
}

Elman linear_elman(Index hidden, double deviation) {
  Generator generator(1);
  Elman cell(3, hidden, generator, [](Var x, SourceLocation) { return 1.0 * x; });
  tests::randomise(cell, deviation);
  return cell;
}

template <class C>
Jacobian jacobian_of(const C& cell, const std::vector<int>& lengths, Order order = Order::forward,
                     Index recompute = 0, FlowOptions options = {}, DType dtype = f64) {
  options.jacobians = true;
  const Layout layout(lengths);
  Tape tape(dtype);
  Gradients gradients;
  Flow flow(options);
  const auto attached = tape.attach(flow);
  const PackedSequence xs{tape.constant(tests::random_tensor({layout.rows(), 3}, 2)), &layout};
  const Var out =
      (recompute > 0 ? scan_recomputed(cell, xs, recompute, order) : scan(cell, xs, order)).outputs.rows;
  tape.backward(ops::sum(out), gradients);
  return flow.recurrences().at(0).jacobian.value();
}

void near(double a, double b) { CHECK(std::abs(a - b) <= 1e-10 * std::abs(b)); }

}  // namespace

TEST_CASE("the Jacobians of a linear Elman net are its recurrent matrix, their product its powers") {
  const Elman cell = linear_elman(6, 0.3);
  for (const Order order : {Order::forward, Order::reverse})
    for (const auto& lengths : {std::vector<int>{9, 9}, std::vector<int>{3, 9, 1, 4}})
      for (const Index recompute : {0, 4}) {
        const Jacobian j = jacobian_of(cell, lengths, order, recompute);
        CHECK(j.exact);
        const auto norms = norms_of_powers(cell.weight_hh.value(), 9);
        REQUIRE(j.norm.size() == 9);
        for (std::size_t t = 0; t < 9; ++t) {
          INFO("step " << t << ", reverse " << (order == Order::reverse) << ", segments " << recompute);
          const std::size_t back = order == Order::forward ? 8 - t : t;
          near(j.product[t], norms[back]);
          CHECK(j.product_error[t] == 0);
          if (back == 8)
            CHECK(std::isnan(j.norm[t]));
          else
            near(j.norm[t], norms[1]);
        }
      }
}

TEST_CASE("the number of steps after which a product vanishes or explodes is that of the powers") {
  for (const double deviation : {0.1, 0.3, 1.0}) {
    const Elman cell = linear_elman(6, deviation);
    for (const DType dtype : {f32, f64}) {
      const Jacobian j = jacobian_of(cell, {80}, Order::forward, 0, {}, dtype);
      const auto norms = norms_of_powers(cell.weight_hh.value(), 80);
      std::optional<Index> vanishes, explodes;
      for (std::size_t k = norms.size(); k-- > 0;) {
        if (norms[k] < 1e-3) vanishes = static_cast<Index>(k);
        if (norms[k] > 1e3) explodes = static_cast<Index>(k);
      }
      CHECK(j.vanishes_after == vanishes);
      CHECK(j.explodes_after == explodes);
      CHECK(j.product[0] == doctest::Approx(norms[79]).epsilon(dtype == f32 ? 1e-4 : 1e-9));
    }
  }
}

TEST_CASE("h and c of an LSTM count together") {
  // With its weights at 0, h = s(o) tanh(c), c = s(f) c + s(i) tanh(g): h depends on c, nothing on h.
  Generator generator(1);
  Lstm cell(3, 2, generator, {.forget_bias = 2});
  convert(cell, f64);
  for (Parameter* p : {&cell.weight_ih, &cell.weight_hh})
    for (Index i = 0; i < p->value().size(); ++i) p->value().set(i, 0);
  const Jacobian j = jacobian_of(cell, {7});
  const double f = 1 / (1 + std::exp(-2.0));  // c stays 0, where the slope of tanh is 1 and s(o) = 1/2
  for (std::size_t t = 1; t < 7; ++t) CHECK(j.norm[t] == doctest::Approx(f * std::sqrt(1.25)).epsilon(1e-12));
  for (std::size_t t = 0; t < 6; ++t)
    CHECK(j.product[t] ==
          doctest::Approx(std::pow(f, 6 - static_cast<double>(t)) * std::sqrt(1.25)).epsilon(1e-12));
}

TEST_CASE("a product of Jacobians bounds what backward makes of a gradient") {
  Generator generator(1);
  Gru cell(3, 5, generator);
  tests::randomise(cell);
  const Layout layout = Layout::uniform(1, 12);
  Tape tape(f64);
  Gradients gradients;
  Flow flow({.jacobians = true});
  const auto attached = tape.attach(flow);
  const Var last = scan(cell, {tape.constant(tests::random_tensor({12, 3}, 2)), &layout}).last;
  tape.backward(last, tests::random_tensor({1, 5}, 3), gradients);
  const auto& r = flow.recurrences()[0];
  for (std::size_t t = 0; t < 12; ++t)
    CHECK(r.fields[0].gradient[t].norm <=
          r.jacobian->product[t] * r.fields[0].gradient[11].norm * (1 + 1e-12));
}

TEST_CASE("wide states are probed, with an error that holds") {
  const Elman cell = linear_elman(24, 0.15);
  FlowOptions options;
  options.jacobian = {.exact = 8, .probes = 30, .sequences = 10};
  const Jacobian j = jacobian_of(cell, std::vector<int>(10, 6), Order::forward, 0, options);
  CHECK_FALSE(j.exact);
  Matrix power(24 * 24);
  for (std::size_t i = 0; i < 24; ++i) power[i * 25] = 1;
  for (std::size_t t = 6; t-- > 0;) {
    double squares = 0;
    for (const double x : power) squares += x * x;
    const double truth = std::sqrt(squares / 24);
    INFO("step " << t << ": " << j.product[t] << " +- " << j.product_error[t] << ", " << truth);
    CHECK(std::abs(j.product[t] - truth) <= 4 * j.product_error[t] + 1e-12);
    CHECK(j.product_error[t] < 0.1 * truth);
    power = product(power, cell.weight_hh.value().values(), 24);
  }
}

TEST_CASE("Jacobians change no bit of the gradients") {
  Generator generator(1);
  const Lstm cell(3, 5, generator);
  const Layout layout(std::vector<int>{6, 3});
  auto run = [&](bool watched) {
    Tape tape;
    Gradients gradients;
    Flow flow({.jacobians = true});
    std::optional<autograd::Attachment> attached;
    if (watched) attached.emplace(tape, flow);
    tape.backward(ops::sum(scan_recomputed(cell, {tape.full({9, 3}, 0.5), &layout}, 2).outputs.rows),
                  gradients);
    return gradients.dense(cell.weight_hh).values();
  };
  CHECK(run(true) == run(false));
}
