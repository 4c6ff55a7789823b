#include "autograd/inspect/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "nn/gradients.h"
#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;
using nlohmann::json;

namespace {

struct Model {
  Unidirectional<Lstm> net;
  Linear head;
  explicit Model(Generator& g) : net{Lstm(3, 4, g)}, head(4, 1, g) {}
  void members(Members& m) { m("net", net), m("head", head); }
};

// Keeps what a pass needs alive.
struct Pass {
  Generator random{1};
  Model model{random};
  Layout layout = Layout::uniform(2, 5);
  Tape tape;
  Gradients gradients;
  Var run() {
    const Var out = model.head(model.net({tape.full({10, 3}, 0.5), &layout}).outputs.rows);
    const Var loss = mean(square(out));
    tape.backward(loss, gradients);
    return loss;
  }
};

double near(const json& number) { return number.get<double>(); }

}  // namespace

TEST_CASE("a report says what is on the tape") {
  Pass pass;
  const double loss = pass.run().item();
  const json report = inspect::report_of(pass.tape, {.title = "a pass"});
  CHECK(report["title"] == "a pass");
  CHECK(report["dtype"] == "f32");
  const json& summary = report["summary"];
  CHECK(near(summary["loss"]) == doctest::Approx(loss).epsilon(1e-4));
  CHECK(summary["steps"] == 5);
  CHECK(summary["nodes"] == pass.tape.nodes().size());
  CHECK(summary["parameters"] == parameter_count(pass.model));
  CHECK(report["parameters"].size() == parameters(pass.model).size());
  CHECK(!report["parameters"][0].contains("gradient_norm"));  // nobody gave the gradients
  CHECK(!report.contains("flow"));                            // nobody watched
}

TEST_CASE("a recorder adds the gradients, of states and of parameters") {
  Pass pass;
  inspect::Recorder recorder(pass.tape);
  pass.run();
  const json report =
      recorder.report_of({.loss = 7.5, .parameters = parameters(pass.model), .gradients = &pass.gradients});
  CHECK(report["summary"]["loss"] == 7.5);
  REQUIRE(report["flow"].size() == 2);  // h and c
  CHECK(report["flow"][0]["norm"].size() == 5);
  double squares = 0;
  for (const json& p : report["parameters"]) squares += std::pow(near(p["gradient_norm"]), 2);
  CHECK(std::sqrt(squares) == doctest::Approx(global_norm(pass.gradients)).epsilon(1e-4));
  CHECK(report["parameters"][0]["path"] == "net.cell.weight_ih");
}

TEST_CASE("a page replaces a file as a whole, or says why not") {
  Pass pass;
  pass.run();
  const std::string path = (std::filesystem::temp_directory_path() / "report.html").string();
  inspect::report(pass.tape, path);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(text.starts_with("<!doctype html>"));
  CHECK(text.find("\"title\":\"One pass\"") != std::string::npos);
  CHECK_THROWS_AS(inspect::report(pass.tape, "/no/such/folder/report.html"), Error);
}

TEST_CASE(
    "the cell of docs/custom-cell.md, which does nothing for it, is seen with its name, steps and lines") {
  Generator random(1);
  const MinimalGatedUnit cell(3, 4, random);
  const Layout layout = Layout::uniform(2, 6);
  Tape tape;
  Gradients gradients;
  inspect::Recorder recorder(tape, inspect::everything);
  tape.backward(mean(square(scan(cell, {tape.full({12, 3}, 0.5), &layout}).outputs.rows)), gradients);
  const json report = recorder.report_of({.gradients = &gradients});

  const json& graph = report["graph"];
  std::vector<int> steps;
  std::set<std::string> ops, lines;
  for (const json& box : graph["boxes"]) {
    if (box[1].is_null()) continue;
    CHECK(graph["modules"][box[0].get<std::size_t>()]["type"] == "MinimalGatedUnit");
    steps.push_back(box[1][0]);
    for (const json& node : box[3]) {
      const json& kind = graph["kinds"][node[1].get<std::size_t>()];
      ops.insert(kind["op"].get<std::string>());
      lines.insert(kind["where"].get<std::string>());
    }
  }
  CHECK(steps == std::vector<int>{0, 1, 2, 3, 4, 5});
  CHECK(ops.contains("mgu"));
  for (const std::string& line : lines) {
    INFO(line);
    CHECK(line.starts_with("minimal_gated_unit.h:"));
  }
  REQUIRE(report["flow"].size() == 1);
  CHECK(report["flow"][0]["norm"].size() == 6);
  CHECK(report["flow"][0]["gates"].size() >= 2);
  CHECK(report["flow"][0]["jacobian"]["product"].size() == 6);
  CHECK(report["profile"]["rows"].size() > 0);
  CHECK(near(report["memory"]["peak_bytes"]) > 0);
  CHECK(report["origin"].is_null());
}
