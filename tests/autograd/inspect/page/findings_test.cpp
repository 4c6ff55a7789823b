#include "autograd/inspect/page/findings.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace unroll;
using nlohmann::json;
using Sentences = std::vector<std::string>;

namespace {
json series(const std::string& path, const std::string& direction, std::vector<double> norm,
            std::uint32_t recurrence = 0) {
  return {{"recurrence", recurrence}, {"path", path}, {"direction", direction}, {"field", 0}, {"norm", norm}};
}
}  // namespace

TEST_CASE("nothing is found in nothing") { CHECK(inspect::findings(json::object()).empty()); }

TEST_CASE("gradients through time: the largest change, in the direction of the way back") {
  const json flow = {series("a", "forward", {0.5, 0.5, 0.5}), series("b", "forward", {1e-6, 1e-3, 1.0}),
                     series("c", "reverse", {1.0, 0.5, 0.1})};
  CHECK(inspect::findings({{"flow", flow}}) ==
        Sentences{"The gradient of b is 1 at step 2 and 1e-06 at step 0: it vanishes."});
  CHECK(inspect::findings({{"flow", {series("", "reverse", {1.0, 10, 5000})}}}) ==
        Sentences{"The gradient of the recurrence is 1 at step 0 and 5e+03 at step 2: it explodes."});
  CHECK(inspect::findings({{"flow", {series("a", "forward", {0.2, 0.4})}}}) ==
        Sentences{"The gradient of a is 0.4 at step 1 and 0.2 at step 0."});
}

TEST_CASE("of two scans of one path, the one that is meant") {
  json mild = series("a", "forward", {0.5, 1.0}, 3), steep = series("a", "forward", {1e-6, 1.0}, 7);
  mild["jacobian"] = {{"vanishes_after", 90}};
  steep["jacobian"] = {{"vanishes_after", 2}};
  CHECK(inspect::findings({{"flow", {mild, steep}}}) ==
        Sentences{"The gradient of a, scan 2 is 1 at step 1 and 1e-06 at step 0: it vanishes.",
                  "The product of the Jacobians of a, scan 2 vanishes after 2 steps."});
}

TEST_CASE("a gradient that grows because the loss reads other steps too does not explode") {
  json pooled = series("a", "forward", {0.08, 0.02, 1e-5});
  pooled["jacobian"] = {{"vanishes_after", nullptr}, {"explodes_after", nullptr}};
  CHECK(inspect::findings({{"flow", {pooled}}}) ==
        Sentences{"The gradient of a is 1e-05 at step 2 and 0.08 at step 0: more comes in on its way, the "
                  "Jacobians do not make it grow."});
}

TEST_CASE("a gradient that overflows on its way back explodes") {
  json overflows = series("a", "forward", {0, 1e30, 1});
  overflows["norm"][0] = nullptr;
  CHECK(inspect::findings({{"flow", {series("b", "forward", {1e-6, 1}), overflows}}}) ==
        Sentences{"The gradient of a is 1 at step 2 and not finite at step 0: it explodes."});
}

TEST_CASE("a gate that a step does not have is averaged over the others") {
  json cell = series("a", "forward", {1});
  cell["gates"] = {{{"name", "slow"}, {"low", {nullptr, 0.8}}, {"high", {nullptr, 0.1}}},
                   {{"name", "never"}, {"low", {nullptr}}, {"high", {nullptr}}}};
  CHECK(
      inspect::findings({{"flow", {cell}}}) ==
      Sentences{"Gate slow of a is saturated: 80 % of its units near the lower end, 10 % near the upper one, "
                "averaged over the steps."});
}

TEST_CASE("what is not finite, zero, saturated or clipped") {
  json cell = series("a", "forward", {1});
  cell["gates"] = {{{"name", "reset"}, {"low", {0.1, 0.1}}, {"high", {0.2, 0.2}}},
                   {{"name", "update"}, {"low", {0.2, 0.4}}, {"high", {0.3, 0.5}}}};
  CHECK(inspect::findings({{"flow", {cell}}}) ==
        Sentences{
            "Gate update of a is saturated: 30 % of its units near the lower end, 40 % near the upper one, "
            "averaged over the steps."});
  const json parameters = {{{"path", "w"}, {"gradient_norm", nullptr}},
                           {{"path", "u"}, {"gradient_norm", 0}},
                           {{"path", "v"}, {"gradient_norm", 1}},
                           {{"path", "not asked"}}};
  CHECK(inspect::findings({{"parameters", parameters}}) ==
        Sentences{"A gradient that is not finite: 1 of 4 parameters, w.",
                  "A gradient of zeros: 1 of 4 parameters, u."});
  const json history = {{"norm", {1, 5, 7}}, {"clipped", {1, 2, 2}}};
  CHECK(inspect::findings({{"history", history}}) ==
        Sentences{"Clipping made the gradient smaller in 2 of 3 training steps that were noted."});
}
