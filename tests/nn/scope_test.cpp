// Where the nodes of a tape come from: module paths.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;
using Names = std::vector<std::string>;

namespace {

struct Model {  // says nothing about scopes
  Embedding words;
  Stack<Bidirectional<Gru>> net;
  Pooling pool;
  Sequential<Linear, Activation, Linear> head;

  explicit Model(Generator& g)
      : words(7, 3, g),
        pool(Pool::attention, 8, g),
        head(Linear(8, 5, g), Activation(ops::relu), Linear(5, 2, g)) {
    net.layers.push_back({Gru(3, 4, g), Gru(3, 4, g)});
    net.layers.push_back({Gru(8, 4, g), Gru(8, 4, g)});
    net.residual = true;
  }
  Var operator()(Tape& tape, std::span<const int> ids, const Layout& layout) const {
    return head(pool(net({words(tape, ids), &layout})));
  }
  void members(Members& m) { m("words", words), m("net", net), m("pool", pool), m("head", head); }
};

// The different paths, in the order in which they were first recorded in.
Names paths(const Tape& tape) {
  Names result;
  for (const autograd::Node& n : tape.nodes())
    if (const std::string path = tape.scope_path(n.scope); std::ranges::find(result, path) == result.end())
      result.push_back(path);
  return result;
}
std::string type_of(const Tape& tape, std::string_view path) {
  for (std::uint32_t s = 0; s < tape.scopes().size(); ++s)
    if (tape.scopes()[s].path == path && tape.scopes()[s].type) return tape.scopes()[s].type->name;
  return "";
}
Var steps(Tape& tape, const Layout& layout, Index width) { return tape.full({layout.rows(), width}, 0.5); }

}  // namespace

TEST_CASE("names of types are short") {
  using autograd::short_name;
  CHECK(nn::module_type<Gru>().name == "Gru");
  CHECK(nn::module_type<MinimalGatedUnit>().name == "MinimalGatedUnit");
  CHECK(nn::module_type<Model>().name == "Model");
  CHECK(nn::module_type<Stack<Bidirectional<Gru>>>().name == "Stack<Bidirectional<Gru>>");
  struct Local {};
  CHECK(nn::module_type<std::vector<Local>>().name.starts_with("vector<Local"));
  CHECK(short_name("f() [with T = a::B<c::D, main(int, x::Y)::E<int> >]") == "B<D, E<int>>");
  CHECK(short_name("f() [T = (anonymous namespace)::B<c::D, 3>]") == "B<D, 3>");
}

TEST_CASE("an error inside a module names it") {
  Generator g(1);
  const Model model(g);
  Tape tape;
  const Layout layout = Layout::uniform(2, 3);
  {
    const auto whole = enter(tape, model, "");
    CHECK_THROWS_WITH_AS(
        model.head(tape.zeros({2, 7})),
        doctest::Contains("[matmul] a is [2, 7] and b is [8, 5]; needed the inner extents equal, 7 and 8 "
                          "came, in head.0 ("),
        Error);
    CHECK_THROWS_WITH_AS(model.net({steps(tape, layout, 5), &layout}),
                         doctest::Contains("came, in net.layers.0.forward ("), Error);
  }
  CHECK_THROWS_WITH_AS(Linear(8, 2, g)(tape.zeros({2, 7})), doctest::Contains("came, in Linear ("), Error);
  CHECK_THROWS_WITH_AS(matmul(tape.zeros({2, 7}), tape.zeros({8, 2})), doctest::Contains("came ("), Error);
}

TEST_CASE("inside of a model, paths are those of its parameters") {
  Generator g(1);
  Model model(g);
  const Layout layout(std::vector<int>{2, 3});
  const std::vector<int> ids{1, 2, 3, 4, 5};
  Tape tape;
  const Names expected{"words",
                       "net.layers.0.forward",
                       "net.layers.0.reverse",
                       "net.layers.0",
                       "net.layers.1.forward",
                       "net.layers.1.reverse",
                       "net.layers.1",
                       "net",
                       "pool.projection",
                       "pool",
                       "head.0",
                       "head",
                       "head.2"};
  for (int pass = 0; pass < 3; ++pass) {
    {
      const auto scope = enter(tape, model, "");
      (void)model(tape, ids, layout);
    }
    CHECK(paths(tape) == expected);
    CHECK(type_of(tape, "net.layers.1.reverse") == "Gru");
    CHECK(type_of(tape, "net.layers.1") == "Bidirectional<Gru>");
    CHECK(type_of(tape, "") == "Model");
    std::set<std::string> known;
    for (const NamedParameter& p : parameters(model)) known.insert(p.path.substr(0, p.path.rfind('.')));
    for (const std::string& path : known) CHECK(std::ranges::count(expected, path) == 1);
    tape.clear();
  }
}

TEST_CASE("a module that moves keeps its path") {
  Generator g(1);
  Tape tape;
  const Layout layout(std::vector<int>{2, 3});
  std::vector<Bidirectional<Gru>> nets;
  for (int i = 0; i < 6; ++i) {  // the list grows
    nets.push_back({Gru(3, 4, g), Gru(3, 4, g)});
    for (const auto& net : nets) {
      (void)net({steps(tape, layout, 3), &layout});
      CHECK(paths(tape) == Names{"Bidirectional.forward", "Bidirectional.reverse", "Bidirectional"});
      tape.clear();
    }
  }
  CHECK(tape.scopes().size() == 3);
}

TEST_CASE("without a model, paths begin with types, numbered where there are several") {
  Generator g(1);
  const Linear a(3, 3, g), b(3, 3, g);
  Tape tape;
  for (int pass = 0; pass < 2; ++pass) {
    const Var x = tape.full({2, 3}, 1);
    (void)a(b(a(x)));
    {
      const auto scope = tape.scope("encoder");
      const auto deeper = tape.scope("left");
      (void)exp(b(x));
    }
    (void)exp(x);
    CHECK(paths(tape) == Names{"Linear", "Linear#2", "encoder.left.Linear", "encoder.left", ""});
    tape.clear();
  }
}

TEST_CASE("a scope knows the line that called the module") {
  Generator g(1);
  const Linear a(3, 3, g);
  Tape tape;
  for (int pass = 0; pass < 2; ++pass) {
    tape.clear();
    const Var x = tape.full({2, 3}, 1);
    const int line = __LINE__ + 1;
    (void)a(a(x));
    (void)a(x);
    CHECK(paths(tape) == Names{"Linear"});
    for (int i = 0; i < 3; ++i)
      CHECK(tape.scopes()[tape.nodes()[static_cast<std::size_t>(i)].scope].location.line == line + i / 2);
  }
  CHECK(tape.scopes().size() == 2);
}

TEST_CASE("a cell of the user's own shows up by its name, also where it is computed again") {
  Generator g(1);
  const MinimalGatedUnit cell(3, 4, g);
  const Layout layout(std::vector<int>{5, 3});
  Tape tape;
  Gradients gradients;
  (void)scan(cell, {steps(tape, layout, 3), &layout});
  CHECK(paths(tape) == Names{"MinimalGatedUnit.input", "MinimalGatedUnit"});
  tape.clear();
  (void)scan_both(cell, MinimalGatedUnit(3, 4, g), {steps(tape, layout, 3), &layout});
  CHECK(paths(tape) == Names{"forward.input", "forward", "reverse.input", "reverse", ""});
  tape.clear();

  struct Inner : Observer {
    std::set<std::string> seen;
    void begin(Tape& t, std::uint32_t node, autograd::Phase) override {
      const autograd::Node& n = t.nodes()[node];
      if (n.table->name(n.op) == std::string("mgu")) seen.insert(t.scope_path(n.scope));
    }
  } inner;
  const auto attached = tape.attach(inner);
  const Stack<Unidirectional<MinimalGatedUnit>> stack{.layers = {{cell, Order::forward, 2}}};
  tape.backward(sum(stack({steps(tape, layout, 3), &layout}).outputs.rows), gradients);
  CHECK(inner.seen == std::set<std::string>{"Stack.layers.0.cell"});
}

TEST_CASE("names that do not come again are forgotten; what is open, and what is around it, is not") {
  Tape tape;
  const auto around = tape.scope("run");
  std::string path;
  for (int i = 0; i < 1000; ++i) {
    tape.clear();
    {
      const auto batch = tape.scope("batch " + std::to_string(i));
      const auto part = tape.scope("part");
      path = tape.scope_path(tape.current_scope());
    }
    const auto same = tape.scope("same");
    CHECK(tape.scope_path(tape.current_scope()) == "run.same");
  }
  CHECK(path == "run.batch 999.part");
  CHECK(tape.scope_path(tape.current_scope()) == "run");
  CHECK(tape.scopes().size() < 60);
}
