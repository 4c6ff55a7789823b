#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "nn/cells.h"
#include "nn/layers.h"
#include "nn/recurrent.h"
#include "ops/ops.h"

using namespace unroll;

namespace {

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    const std::string what = e.what();
    return what.substr(0, what.rfind(" ("));
  }
  return "no error";
}

Parameter filled(const char* name, const Shape& shape, double value) {
  Parameter p(name, shape);
  p.value().fill(value);
  return p;
}

}  // namespace

TEST_CASE("what backward refuses") {
  Tape tape;
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({2}, {1, 2}));
  CHECK(message_of([&] { tape.backward(x, gradients); }) ==
        "[backward] a value of shape [2] came; needed one element: reduce it with sum() or mean(), or give a "
        "seed");
  CHECK(message_of([&] { tape.backward(x, Tensor({3}), gradients); }) ==
        "[backward] a seed of shape [3] came for a value of shape [2]; needed the same shape");
  CHECK(
      message_of([&] { tape.backward(sum(tape.zeros({2})), gradients); }) ==
      "[backward] a value came that depends on no trainable parameter and no variable; needed one that does");
  CHECK(message_of([&] { (void)tape.gradient(x); }) ==
        "[gradient] no backward has run on this tape; call backward first");

  const Var y = x * 2.0;
  tape.backward(sum(y), gradients);
  const std::string again = message_of([&] { tape.backward(sum(y), gradients); });
  CHECK(again.starts_with("[backward] this tape was consumed by backward at "));
  CHECK(
      again.ends_with("needed a new pass: call clear() and compute the loss again, carrying state across "
                      "passes by its values (tensor() and constant())"));
  CHECK(message_of([&] {
          (void)tape.gradient(y);
        }).starts_with("[gradient] the gradient of this value was not kept"));
  CHECK(message_of([&] { tape.keep_gradient(y); }) ==
        "[keep_gradient] backward has already run; call it before backward");
}

TEST_CASE("gradients add up over passes and over tapes") {
  Parameter p = filled("p", {3}, 2);
  Gradients gradients;
  Tape first, second;
  for (int pass = 0; pass < 2; ++pass) {
    for (Tape* tape : {&first, &second}) {
      const Var x = tape->parameter(p);
      tape->backward(sum(x * x), gradients);
      tape->clear();
    }
  }
  CHECK(gradients.dense(p).values() == std::vector<double>(3, 16));

  SUBCASE("also where the parameter is the result itself") {
    Parameter q = filled("q", {1}, 5);
    for (int pass = 0; pass < 2; ++pass, first.clear()) first.backward(first.parameter(q), gradients);
    CHECK(gradients.dense(q).at(0) == 2);
  }
}

TEST_CASE("values whose gradient is kept, and hooks") {
  Tape tape;
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({2}, {1, 2}));
  const Var y = x * x, z = y * 3.0;
  tape.keep_gradient(y);
  std::vector<std::vector<double>> seen;
  tape.on_gradient(z, [&](const Tensor& g) { seen.push_back(g.values()); });
  tape.on_gradient(x, [&](const Tensor& g) { seen.push_back(g.values()); });
  tape.on_gradient(tape.rows(z, 1, 1), [&](const Tensor& g) { seen.push_back(g.values()); });
  tape.backward(sum(z), gradients);
  CHECK(seen == std::vector<std::vector<double>>{{1, 1}, {1}, {6, 12}});
  CHECK(tape.gradient(y).values() == std::vector<double>{3, 3});
  CHECK(tape.gradient(x).values() == std::vector<double>{6, 12});
  CHECK(tape.gradient(tape.rows(x, 1, 1)).values() == std::vector<double>{12});
}

TEST_CASE("a hook on the outputs of a scan whose first steps get no gradient") {
  Generator g(1);
  const Gru cell(3, 4, g);
  const Layout layout = Layout::uniform(2, 5);
  for (const Order order : {Order::forward, Order::reverse}) {
    Tape tape;
    Gradients gradients;
    tape.truncate(1);
    const Var out = scan(cell, {tape.full({10, 3}, 0.5), &layout}, order).outputs.rows;
    const Index last = order == Order::forward ? 8 : 0;  // rows of the step that is taken last
    std::vector<std::vector<double>> seen;
    tape.on_gradient(out, [&](const Tensor& d) { seen.push_back(d.values()); });
    tape.backward(sum(tape.rows(out, last, 2)), gradients);
    std::vector<double> expected(40, 0.0);
    std::fill_n(expected.begin() + last * 4, 8, 1.0);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0] == expected);
  }
}

TEST_CASE("hooks are called from the last node to the first, those of a node in the order they came in") {
  Tape tape;
  Gradients gradients;
  Var x = tape.variable(Tensor({1}));
  std::vector<int> seen;
  auto note = [&](Var v, int number) {
    tape.on_gradient(v, [&, number](const Tensor&) { seen.push_back(number); });
  };
  note(x, 0);
  const Var y = exp(x), z = exp(y), unused = exp(y);
  note(y, 1);
  note(unused, 2);
  note(z, 3);
  note(y, 4);
  tape.backward(z, gradients);
  CHECK(seen == std::vector<int>{3, 1, 4, 0});
}

TEST_CASE("the gradient of a parameter is read from Gradients") {
  const Parameter table = filled("table", {4, 2}, 1);
  Tape tape;
  const Var x = tape.parameter(table);
  const std::string needed =
      " a parameter came; its gradient is summed over passes: read it from the Gradients after backward";
  CHECK(message_of([&] { tape.keep_gradient(x); }) == "[keep_gradient]" + needed);
  CHECK(message_of([&] { tape.on_gradient(tape.rows(x, 0, 1), {}); }) == "[keep_gradient]" + needed);
  Gradients gradients;
  tape.backward(sum(x), gradients);
  CHECK(message_of([&] { (void)tape.gradient(x); }) == "[gradient]" + needed);
}

TEST_CASE("a hook that throws leaves no part of a gradient behind") {
  Parameter a = filled("a", {3}, 2), b = filled("b", {3}, 3);
  Gradients gradients;
  Tape tape;
  tape.poison(true);
  auto pass = [&](const std::function<void(const Tensor&)>& hook) {
    tape.clear();
    const Var x = tape.parameter(a), product = x * tape.parameter(b);
    if (hook) tape.on_gradient(product, hook);
    tape.backward(sum(product) + sum(tape.columns(x, 2, 1)), gradients);
  };
  pass({});
  CHECK_THROWS_AS(pass([](const Tensor&) { throw std::runtime_error("from the hook"); }), std::runtime_error);
  CHECK_FALSE(gradients.any());
  CHECK(tape.consumed());
  pass({});
  CHECK(gradients.dense(a).values() == std::vector<double>{3, 3, 4});

  SUBCASE("and may not record") {
    gradients.clear();
    CHECK(message_of([&] { pass([&](const Tensor&) { (void)tanh(tape.zeros({2})); }); }) ==
          "[tanh] an op came while backward runs; needed it before or after");
    CHECK(message_of([&] { pass([&](const Tensor&) { tape.clear(); }); }) ==
          "[clear] a call came while backward runs; needed it before or after");
  }
}

TEST_CASE("a pass of another dtype into gradients that are held") {
  Parameter p = filled("p", {2}, 1);
  Gradients gradients;
  Tape f, d(f64);
  f.backward(sum(f.parameter(p)), gradients);
  CHECK(message_of([&] {
          d.backward(sum(d.parameter(p)), gradients);
        }).starts_with("[gradients] 'p' has a gradient of f32 [2], and now one of f64 [2] came"));
  CHECK_FALSE(gradients.any());
}

TEST_CASE("a projection that was given to a recurrence cannot be read") {
  Generator random(1);
  struct Spy {
    Linear input;
    Parameter w;
    mutable Var kept;
    Var project(Var xs) const { return kept = input(xs); }
    Var step(Projected x, Var h) const { return tanh(x.add(h, w)); }
    Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, 4}); }
  };
  const Spy cell{Linear(3, 4, random), Parameter("w", {4, 4}), {}};
  Tape tape;
  const Layout layout = Layout::uniform(2, 3);
  (void)scan(cell, {tape.full({6, 3}, 1), &layout});
  const Var old = cell.kept;
  const std::string needed =
      "] a value came whose memory was given to a recurrence for overwriting; needed its use inside the "
      "cell's step, or a copy made before";
  CHECK(message_of([&] { (void)tanh(old); }) == "[tanh" + needed);
  CHECK(message_of([&] { (void)tape.rows(old, 2, 1); }) == "[rows" + needed);
  CHECK(message_of([&] { (void)tape.columns(old, 2, 1); }) == "[columns" + needed);
  CHECK(message_of([&] { (void)tape.reshape(old, {24}); }) == "[reshape" + needed);
  CHECK(message_of([&] { (void)tape.stop_gradient(old); }) == "[stop_gradient" + needed);
  CHECK(message_of([&] { (void)old.tensor(); }) == "[tensor" + needed);
}

TEST_CASE("an error inside a cell also names the line that called the layer") {
  Generator random(1);
  const Stack<Unidirectional<Gru>> net{{{Gru(3, 4, random)}, {Gru(5, 4, random)}}};
  const Layout layout = Layout::uniform(2, 3);
  Tape tape;
  int line = 0;
  try {
    line = __LINE__, (void)net({tape.full({6, 3}, 1), &layout});
  } catch (const Error& e) {
    const std::string what = e.what();
    CHECK(what.find("nn/cells.h:") != std::string::npos);
    CHECK(what.ends_with("backward_test.cpp:" + std::to_string(line)));
    CHECK(e.location().line == line);
  }
}

TEST_CASE("state of an earlier pass is refused with the way to carry it") {
  Generator random(1);
  const Gru cell(3, 4, random);
  const Layout layout = Layout::uniform(2, 3);
  Tape tape;
  const auto first = scan(cell, {tape.full({6, 3}, 1), &layout});
  const Tensor carried = first.last.tensor();
  tape.clear();
  const std::string what = message_of([&] {
    (void)scan(cell, {tape.full({6, 3}, 1), &layout}, Order::forward, first.last);
  });
  CHECK(what.find("a handle of a cleared tape came; compute it again after clear(), or") !=
        std::string::npos);
  CHECK(scan(cell, {tape.full({6, 3}, 1), &layout}, Order::forward, tape.constant(carried)).last.rows() == 2);
}
