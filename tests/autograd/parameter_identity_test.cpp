// A parameter is known by an identity that is never another's, and by its version: what reads it in one pass
// and walks back in that pass gets the gradient of what it read, or an Error.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "nn/nn.h"
#include "tests/message.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using unroll::tests::message;

namespace {

Var output(const Linear& net, Tape& tape) { return net(tape.full({1, 2}, 1)); }

}  // namespace

TEST_CASE("models made one after the other on one tape have their own values") {
  for (const bool recorded : {true, false}) {
    Generator g(1);
    Tape tape;
    std::optional<Tape::Scope> silent;
    if (!recorded) silent.emplace(tape.context().silent, 1);
    for (int i = 0; i < 200; ++i) {
      const auto net = std::make_unique<Linear>(2, 1, g);  // where the one before lay
      Tape fresh;
      CHECK(output(*net, tape).item() == output(*net, fresh).item());
    }
  }
}

TEST_CASE("a dead model's gradient is nobody else's") {
  Generator g(1);
  Gradients gradients;
  Tape tape;
  for (int i = 0; i < 50; ++i) {
    const auto net = std::make_unique<Linear>(2, 2, g);
    tape.backward(ops::sum(output(*net, tape)), gradients);
    CHECK(gradients.dense(net->weight).at(0) == 1);
    tape.clear();
  }
  Linear last(2, 2, g);
  Optimiser sgd(parameters(last), Sgd{});
  tape.backward(ops::sum(output(last, tape)), gradients);
  CHECK(message([&] { sgd.step(gradients); }).starts_with("[optimiser] gradients came for 'bias', 'weight'"));
  gradients.clear();
  int left = 0;
  gradients.each([&](const Gradients::Entry&) { ++left; });
  CHECK(left == 0);
  tape.clear();
  tape.backward(ops::sum(output(last, tape)), gradients);
  sgd.step(gradients);
}

TEST_CASE("a parameter that changed between forward and backward is refused, with who changed it and where") {
  Generator g(1);
  Linear net(2, 2, g);
  Optimiser sgd(parameters(net), Sgd{});
  const auto read = [&](Tape& tape) { return ops::sum(output(net, tape)); };

  Tape a, b;
  Gradients gradients;
  const Var loss_a = read(a), loss_b = read(b);
  a.backward(loss_a, gradients);
  sgd.step(gradients);
  gradients.clear();
  const std::string said = message([&] { b.backward(loss_b, gradients); });
  CHECK(said.starts_with("[backward] 'bias' was changed by Optimiser::step ("));
  CHECK(said.find("parameter_identity_test.cpp:") != std::string::npos);
  CHECK(said.find("after this tape read it") != std::string::npos);

  const auto refused = [&](const char* by, const auto& change) {
    CAPTURE(by);
    Tape tape;
    const Var loss = read(tape);
    change();
    CHECK(message([&] { tape.backward(loss, gradients); }).find(by) != std::string::npos);
  };
  refused("Parameter::value", [&] { net.weight.value() = Tensor(Shape{5, 5}); });
  net.weight.value() = Tensor(Shape{2, 2});
  refused("Parameter::value", [&] { net.weight.value().set(0, 3); });
  refused("has died", [&] { net.weight = Parameter(net.weight); });  // moved there: another parameter
  refused("an assignment", [&] {
    const Linear other(2, 2, g);
    net = other;
  });
  refused("convert", [&] { convert(net, f32); });
  Tape tape;
  const Var loss = read(tape);
  (void)std::as_const(net).weight.value().at(0);  // looking is allowed
  tape.backward(loss, gradients);
}

TEST_CASE("a parameter that died between forward and backward is refused") {
  Generator g(1);
  Gradients gradients;
  Tape tape;
  Var loss;
  {
    const Linear net(2, 2, g);
    loss = ops::sum(output(net, tape));
  }
  CHECK(message([&] { tape.backward(loss, gradients); }).starts_with("[backward] 'bias' has died since"));

  // A model may be moved, though.
  Linear net(2, 2, g);
  tape.clear();
  loss = ops::sum(output(net, tape));
  const Linear moved = std::move(net);
  tape.backward(loss, gradients);
  CHECK(gradients.dense(moved.weight).at(0) == 1);
}

TEST_CASE("an optimiser whose model has died says so") {
  Generator g(1);
  auto net = std::make_unique<Linear>(2, 2, g);
  Optimiser sgd(parameters(*net), Sgd{});
  net.reset();
  CHECK(message([&] { sgd.step(Gradients()); }).starts_with("[optimiser] 'weight', 'bias' no longer lives"));
}

TEST_CASE("a stream whose net has changed or died says so, rather than go on with what was") {
  Generator g(1);
  auto cell = std::make_unique<Gru>(2, 3, g);
  Stepper stepper(*cell, 2);
  const float x[] = {1, 2};
  (void)stepper.step<float>(x);
  Parameter elsewhere("elsewhere", {1});
  elsewhere.value().set(0, 1);
  (void)stepper.step<float>(x);  // that is none of its business
  cell->weight_hh.value().set(0, 3);
  CHECK(message([&] { (void)stepper.step<float>(x); }).find("'weight_hh' was changed by") !=
        std::string::npos);
  Stepper anew(*cell, 2);
  cell.reset();
  CHECK(message([&] { (void)anew.step<float>(x); }).find("has died") != std::string::npos);
}

TEST_CASE("what was moved elsewhere has a message, whatever is asked of it") {
  Generator g(1);
  const std::string needed = "[parameter] a parameter came that was moved elsewhere";
  auto try_all = [&]<class M>(M a, const auto& use) {
    const M b = std::move(a);
    Tape tape;
    CHECK(message([&] { use(tape, a); }).starts_with(needed));
    CHECK(message([&] { use(tape, b); }).empty());
  };
  const Layout layout = Layout::uniform(1, 2);
  auto scans = [&](Tape& tape, const auto& cell) { (void)scan(cell, {tape.full({2, 2}, 1), &layout}); };
  try_all(Linear(2, 1, g), [](Tape& tape, const Linear& net) { (void)output(net, tape); });
  try_all(Elman(2, 3, g), scans);
  try_all(Gru(2, 3, g), scans);
  try_all(Lstm(2, 3, g), scans);
  const Parameter p("p", {2});
  Parameter gone("q", {2});
  const Parameter taken = std::move(gone);
  CHECK(message([&] { (void)gone.value(); }).starts_with(needed));
  CHECK(message([&] { (void)Parameter(gone); }).starts_with(needed));
  gone = p;  // and can be given a value again
  CHECK(gone.value().size() == 2);
}
