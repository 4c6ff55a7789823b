#include "autograd/inspect/watch/history.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::History;

namespace {

// Two parameters of which loss = a.a / 2 + 10 b, so that their gradients are a and 10.
struct Net {
  Parameter a{"a", {3}}, b{"b", {1}};
  Net() {
    for (Index i = 0; i < 3; ++i) a.value().set(i, i == 0 ? 3 : i == 1 ? 4 : 0);
  }
  Var operator()(Tape& tape) const {
    return ops::sum(square(tape.parameter(a))) * 0.5 + ops::sum(tape.parameter(b)) * 10.0;
  }
  void members(Members& m) { m("a", a), m("b", b); }
};

}  // namespace

TEST_CASE("a history has the norms before clipping, and how far each parameter moved") {
  Net net;
  History history(parameters(net));
  Optimiser optimiser(parameters(net), Sgd{.learning_rate = 0.1});
  Tape tape;
  for (std::int64_t step = 0; step < 2; ++step) {
    Gradients gradients;
    tape.clear();
    const Var loss = net(tape);
    const double value = loss.item();
    tape.backward(loss, gradients);
    const double norm = clip_by_global_norm(gradients, 5);
    history.before_update(step, {value, norm, 5}, gradients);
    optimiser.step(gradients);
    history.after_update();
  }
  const auto& first = history.recorded().at(0);
  CHECK(first.loss == 12.5);
  CHECK(first.norm == doctest::Approx(std::sqrt(125)));
  const double scale = 5 / std::sqrt(125);
  const auto &a = history.parameters()[0], &b = history.parameters()[1];
  CHECK(a.path == "a");
  CHECK(a.gradient[0] == doctest::Approx(5));
  CHECK(b.gradient[0] == doctest::Approx(10));
  CHECK(a.ratio[0] == doctest::Approx(0.1 * scale));
  CHECK(b.ratio[0] == doctest::Approx(0.1 * scale * 10));  // it was zero: how far it moved
  CHECK(a.gradient[1] == doctest::Approx(5 * (1 - 0.1 * scale)));
  CHECK(a.ratio.size() == 2);

  const nlohmann::json json = history;
  CHECK(json["steps"] == nlohmann::json({0, 1}));
  CHECK(json["clipped"] == nlohmann::json({5, 5}));
  CHECK(json["parameters"][1]["path"] == "b");
  CHECK(json["parameters"][0]["gradient"][0] == a.gradient[0]);
}

TEST_CASE("a long history is thinned out evenly, a parameter without a gradient has none") {
  Net net;
  net.b.freeze();
  History history(parameters(net), 3, 16);
  Gradients gradients;
  Tape tape;
  tape.backward(net(tape), gradients);
  for (std::int64_t step = 0; step < 1000; ++step) {
    if (history.due(step)) history.before_update(step, {static_cast<double>(step), 1}, gradients);
    history.after_update();
  }
  const auto& steps = history.steps();
  CHECK(steps.size() >= 8);
  CHECK(steps.size() <= 16);
  CHECK(steps[0] == 0);
  CHECK(steps.back() > 900);
  for (std::size_t i = 1; i < steps.size(); ++i) CHECK(steps[i] - steps[i - 1] == steps[1]);
  for (std::size_t i = 0; i < steps.size(); ++i)
    CHECK(history.recorded()[i].loss == static_cast<double>(steps[i]));
  for (const auto& p : history.parameters()) {
    CHECK(p.gradient.size() == steps.size());
    CHECK(p.ratio.size() == steps.size());
  }
  const nlohmann::json json = history;
  CHECK(json["clipped"].is_null());
  CHECK(json["parameters"][1]["gradient"][0].is_null());
  CHECK(json["parameters"][1]["ratio"][0] == 0);
}

TEST_CASE("a history refuses what makes no sense") {
  CHECK_THROWS_WITH_AS(History({}, 0), doctest::Contains("[history] every 0th step"), Error);
  CHECK_THROWS_WITH_AS(History({}, 1, 1), doctest::Contains("needed at least 1 and 2"), Error);
}
