#include "autograd/inspect/page/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "models/data/text.h"
#include "nn/gradients.h"
#include "nn/nn.h"
#include "tests/models/temporary_folder.h"
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

TEST_CASE("the numbers of a report are those of the pass, in full") {
  Pass pass;
  inspect::Recorder recorder(pass.tape);
  const double loss = pass.run().item();
  const json report = recorder.report_of({.gradients = &pass.gradients});
  CHECK(report["summary"]["loss"] == loss);
  const auto& fields = recorder.flow().recurrences().at(0).fields;
  for (std::size_t t = 0; t < 5; ++t) {
    CHECK(report["flow"][0]["norm"][t] == fields[0].gradient[t].norm);
    CHECK(report["flow"][1]["state_norm"][t] == fields[1].state[t].norm);
  }
}

TEST_CASE("a recorder tells of one pass: the last, and only while that is on the tape") {
  Pass pass;
  inspect::Recorder recorder(pass.tape);
  CHECK(recorder.report_of()["flow"].empty());
  pass.run();
  const json first = recorder.report_of();
  pass.tape.clear();
  CHECK_THROWS_WITH_AS(recorder.report_of(), doctest::Contains("[inspect] a tape came that was cleared"),
                       Error);
  pass.run();
  const json second = recorder.report_of();
  CHECK(second["flow"] == first["flow"]);
  CHECK(second["memory"] == first["memory"]);
  REQUIRE(second["profile"]["rows"].size() == first["profile"]["rows"].size());
  double first_count = 0, second_count = 0;
  for (const json& row : first["profile"]["rows"]) first_count += near(row["count"]);
  for (const json& row : second["profile"]["rows"]) second_count += near(row["count"]);
  CHECK(second_count == first_count);
}

TEST_CASE("the memory of a pass is that at its peak, whatever watching takes") {
  std::size_t bytes[2];
  for (const bool jacobians : {false, true}) {
    Pass pass;
    inspect::Recorder recorder(pass.tape, {.jacobians = jacobians});
    pass.run();
    const json report = recorder.report_of();
    bytes[jacobians] = report["summary"]["bytes"];
    CHECK(report["summary"]["bytes"] == report["memory"]["peak_bytes"]);
  }
  CHECK(bytes[0] == bytes[1]);
}

TEST_CASE("without a list of parameters, they go by the modules that read them") {
  Generator random(1);
  Stack<Unidirectional<Lstm>> net;
  net.layers.push_back({Lstm(3, 4, random)});
  net.layers.push_back({Lstm(4, 4, random)});
  const Layout layout = Layout::uniform(2, 3);
  Tape tape;
  Gradients gradients;
  {
    const auto scope = enter(tape, net, "");
    tape.backward(sum(net({tape.full({6, 3}, 0.5), &layout}).outputs.rows), gradients);
  }
  std::vector<std::string> told, listed;
  const json report = inspect::report_of(tape);
  for (const json& p : report["parameters"]) told.push_back(p["path"]);
  for (const NamedParameter& p : parameters(net)) listed.push_back(p.path);
  std::ranges::sort(told);
  std::ranges::sort(listed);
  REQUIRE(told.size() == listed.size());
  for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == listed[i]);
}

TEST_CASE("a page replaces a file as a whole, or says why not") {
  Pass pass;
  pass.run();
  const models::TemporaryFolder folder;
  const std::string path = folder.file("report.html");
  inspect::report(pass.tape, path);
  const std::string text = models::read_file(path);
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
    if (box["steps"].is_null()) continue;
    CHECK(graph["modules"][box["module"].get<std::size_t>()]["type"] == "MinimalGatedUnit");
    steps.push_back(box["steps"][0]);
    for (const json& node : box["nodes"]) {
      const json& kind = graph["kinds"][node["kind"].get<std::size_t>()];
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
