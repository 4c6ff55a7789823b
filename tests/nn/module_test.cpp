#include "nn/module.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/layers.h"
#include "nn/optimiser.h"

using namespace unroll;

namespace {

struct Net {
  Linear body, head, heading;
  std::vector<Linear> more;
  std::optional<Parameter> scale;

  explicit Net(Generator& g) : body(3, 4, g), head(4, 2, g), heading(4, 1, g) { more.emplace_back(2, 2, g); }
  void members(Members& m) {
    m("body", body), m("head", head), m("heading", heading), m("more", more), m("scale", scale);
  }
};

std::vector<std::string> paths(const std::vector<NamedParameter>& list) {
  std::vector<std::string> result;
  for (const NamedParameter& p : list) result.push_back(p.path);
  return result;
}
using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("parameters are listed under their paths, and listing changes nothing") {
  Generator g(1);
  Net net(g);
  const Paths all{"body.weight",    "body.bias",    "head.weight",   "head.bias",
                  "heading.weight", "heading.bias", "more.0.weight", "more.0.bias"};
  CHECK(paths(parameters(net)) == all);
  CHECK(paths(parameters(net.head)) == Paths{"weight", "bias"});  // of another model: the part alone
  CHECK(paths(parameters(net)) == all);
  CHECK(net.head.weight.name() == "weight");
  net.scale.emplace("scale", Shape{1});
  CHECK(paths(parameters(net)).back() == "scale");
  CHECK(parameter_count(net) == 16 + 10 + 5 + 6 + 1);
  const Net& constant = net;
  CHECK(parameter_count(constant) == 38);
}

TEST_CASE("groups are selected from one listing") {
  Generator g(1);
  Net net(g);
  CHECK(paths(parameters(net, "head")) == Paths{"head.weight", "head.bias"});  // but not heading
  CHECK(paths(parameters(net, "more.0.bias")) == Paths{"more.0.bias"});
  CHECK(paths(parameters_except(net, {"head", "heading", "more"})) == Paths{"body.weight", "body.bias"});
  CHECK_THROWS_WITH_AS(parameters(net, "haed"),
                       doctest::Contains("[parameters] 'haed' came; needed the path of a parameter or of a "
                                         "module with parameters, such as 'body.weight' ("),
                       Error);
  CHECK_THROWS_AS(parameters_except(net, {"head", ""}), Error);

  Optimiser optimiser(parameters_except(net, {"head"}), Adam{});
  optimiser.add(parameters(net, "head"), Adam{.learning_rate = 1e-2});
  const auto state = optimiser.state();
  CHECK(state.back().name == "head.bias.square");
  optimiser.load_state(state);
  const std::string message = [&] {
    try {
      optimiser.step(Gradients{});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  }();
  CHECK(message.find("'body.weight'") != message.npos);
  CHECK(message.find("'head.weight'") != message.npos);
}
