#include "autograd/inspect/figures/graph.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;
using inspect::Detail;
using inspect::Graph;
using inspect::graph_of;

namespace {

// Each operation of the tape lies in one box.
void check_complete(const Graph& graph, const Tape& tape) {
  std::vector<std::uint32_t> nodes;
  for (const Graph::Box& box : graph.boxes) {
    nodes.insert(nodes.end(), box.stands_for.begin(), box.stands_for.end());
    CHECK(box.module < graph.modules.size());
    CHECK(box.stands_for.size() == box.count * box.nodes.size());
  }
  std::ranges::sort(nodes);
  REQUIRE(nodes.size() == tape.nodes().size());
  for (std::uint32_t n = 0; n < nodes.size(); ++n) CHECK(nodes[n] == n);
  for (std::size_t m = 1; m < graph.modules.size(); ++m) CHECK(graph.modules[m].parent < m);
}

std::vector<const Graph::Box*> boxes_in(const Graph& graph, std::string_view module) {
  std::vector<const Graph::Box*> result;
  for (const Graph::Box& box : graph.boxes)
    if (graph.modules[box.module].path == module) result.push_back(&box);
  return result;
}

using Steps = std::pair<std::int32_t, std::int32_t>;

}  // namespace

TEST_CASE("a net of 500 steps in two directions and two layers stays readable") {
  Generator g(1);
  Stack<Bidirectional<Gru>> net;
  net.layers.push_back({Gru(3, 4, g), Gru(3, 4, g)});
  net.layers.push_back({Gru(8, 4, g), Gru(8, 4, g)});
  const Linear head(8, 2, g);
  for (const bool ragged : {false, true}) {
    std::vector<int> lengths(8, 500);
    if (ragged)
      for (std::size_t b = 1; b < lengths.size(); ++b) lengths[b] = 500 - 37 * static_cast<int>(b);
    const Layout layout(lengths);
    Tape tape;
    {
      const auto scope = enter(tape, net, "net");
      (void)sum(head(net({tape.full({layout.rows(), 3}, 0.5), &layout}).outputs.rows));
    }
    const Graph graph = graph_of(tape);
    CHECK(tape.nodes().size() > 4000);
    CHECK(graph.boxes.size() < 30);
    CHECK(graph.edges.size() < 60);
    check_complete(graph, tape);
    CHECK(graph.links.empty());
    std::size_t steps = 0;
    for (const Graph::Box* box : boxes_in(graph, "net.layers.1.reverse"))
      if (box->steps) steps += box->count;
    CHECK(steps == 500);

    const nlohmann::json json = graph;
    CHECK(json["boxes"].size() == graph.boxes.size());
    CHECK(json["modules"][0]["parent"].is_null());
    const std::string dot = to_dot(graph);
    CHECK(std::ranges::count(dot, '{') == std::ranges::count(dot, '}'));
    CHECK(dot.size() < 10'000);

    const Graph full = graph_of(tape, Detail::full);
    check_complete(full, tape);
    CHECK(full.boxes.size() >= 2000);
    CHECK(full.links.size() > full.boxes.size());
  }
}

TEST_CASE("the cell of the documentation: its name, its time steps, its lines") {
  Generator g(1);
  const MinimalGatedUnit cell(3, 4, g);
  const Layout layout = Layout::uniform(2, 9);
  Tape tape;
  const Var out = scan(cell, {tape.full({18, 3}, 0.5), &layout}).outputs.rows;
  (void)sum(out);
  const Graph graph = graph_of(tape);
  check_complete(graph, tape);
  REQUIRE(graph.modules.size() == 3);
  CHECK(graph.modules[1].path == "MinimalGatedUnit");
  CHECK(graph.modules[1].type == "MinimalGatedUnit");
  CHECK(graph.modules[2].path == "MinimalGatedUnit.input");
  CHECK(graph.modules[2].type == "Linear");
  CHECK(graph.modules[2].parent == 1);

  // The first step begins with zeros, which are not multiplied.
  REQUIRE(graph.boxes.size() == 4);
  const Graph::Box &project = graph.boxes[0], &first = graph.boxes[1], &others = graph.boxes[2],
                   &loss = graph.boxes[3];
  CHECK_FALSE(project.steps);
  CHECK(first.steps == Steps{0, 0});
  CHECK(others.steps == Steps{1, 8});
  CHECK(others.count == 8);
  CHECK(others.module == 1);
  CHECK(others.nodes.back().op == "mgu");
  for (const inspect::Line& line : others.nodes) CHECK(line.location.starts_with("minimal_gated_unit.h:"));
  CHECK(loss.module == 0);

  auto edge = [&](std::size_t from, std::size_t to) {
    const auto found =
        std::ranges::find_if(graph.edges, [&](const Graph::Edge& e) { return e.from == from && e.to == to; });
    return found == graph.edges.end() ? Graph::Edge{from, to, 0, false} : *found;
  };
  CHECK(edge(1, 2).recurrent);
  CHECK(edge(2, 2).recurrent);
  CHECK_FALSE(edge(0, 2).recurrent);
  CHECK(edge(0, 2).count > 0);
  CHECK(edge(1, 3).count == 1);  // the outputs are joined without an operation
  CHECK(edge(2, 3).count == 1);
  CHECK(edge(0, 3).count == 0);
}

TEST_CASE("one cell, two recurrences; and a loop by hand") {
  Generator g(1);
  const Gru cell(4, 4, g);
  const Linear linear(4, 4, g);
  const Layout layout = Layout::uniform(2, 5);
  Tape tape;
  Var x = scan(cell, {scan(cell, {tape.full({10, 4}, 0.5), &layout}).outputs.rows, &layout}).outputs.rows;
  const std::size_t before = graph_of(tape).boxes.size();
  const Graph twice = graph_of(tape);
  for (const Graph::Box& box : twice.boxes)
    if (box.steps) CHECK(box.count <= 5);
  check_complete(twice, tape);

  for (int i = 0; i < 100; ++i) x = tanh(linear(x));
  const Graph graph = graph_of(tape);
  check_complete(graph, tape);
  CHECK(graph.boxes.size() <= before + 4);
  CHECK(std::ranges::any_of(graph.edges, [](const Graph::Edge& e) { return e.count >= 99; }));
}

TEST_CASE("one cell in both orders, and two scans of one step each, are two recurrences") {
  Generator g(1);
  const Gru cell(4, 4, g);
  for (const Index steps : {5, 1}) {
    const Layout layout = Layout::uniform(2, steps);
    Tape tape;
    const Var x = scan(cell, {tape.full({2 * steps, 4}, 0.5), &layout}, Order::reverse).outputs.rows;
    (void)scan(cell, {x, &layout}, Order::forward);
    const Graph graph = graph_of(tape);
    check_complete(graph, tape);
    std::map<std::uint32_t, std::size_t> counts;
    for (const Graph::Box& box : graph.boxes)
      if (box.steps) counts[box.recurrence] += box.count;
    REQUIRE(counts.size() == 2);
    for (const auto& [recurrence, count] : counts) CHECK(count == static_cast<std::size_t>(steps));
  }
}

TEST_CASE("names are safe in DOT and JSON") {
  Tape tape;
  const auto scope = tape.scope("a \"b\"\\");
  (void)exp(tape.full({1}, 1));
  const std::string dot = to_dot(graph_of(tape));
  CHECK(dot.find("label=\"a \\\"b\\\"\\\\\"") != std::string::npos);
  CHECK(to_dot(graph_of(Tape())).starts_with("digraph"));
  const nlohmann::json empty = graph_of(Tape());
  CHECK(empty["boxes"].empty());
}
