#include "autograd/inspect/watch/origin.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/nn.h"

using namespace unroll;
using autograd::Phase;
using inspect::find_origin;
using inspect::Origin;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum class Fault { log_of_negative, zero_by_zero, exp_overflow, sqrt_slope, pow_slope, product_overflow };

// One element of one step goes wrong.
struct Plant {
  Fault fault;
  int step;
  Index row, column;
  bool active = true;
  mutable int line = 0;  // of the op that makes the bad number
};

// A user's cell.
struct PlantedCell {
  Linear input;
  Parameter u, huge;
  const Plant* plant = nullptr;

  PlantedCell(Index in, Index hidden, Generator& g)
      : input(in, hidden, g), u("u", {hidden, hidden}), huge("huge", {hidden, hidden}) {
    initialise::orthogonal(u, g);
    initialise::constant(huge, 1e-30);
  }
  Var project(Var xs) const { return input(xs); }
  Var step(Projected x, Var h) const {
    const Var n = tanh(x.add(h, u));
    Tape& tape = n.tape();
    const Var next = h + 0.5 * (n - h);
    return plant && tape.nodes().back().step == plant->step ? next + fault(tape, n) : next;
  }
  Var initial(Tape& tape, Index batch) const { return tape.full({batch, u.shape()[0]}, 0.1); }
  void members(Members& m) { m("input", input), m("u", u), m("huge", huge); }

 private:
  // `good` everywhere but in the planted element, if it is to go wrong.
  Var numbers(Tape& tape, const Shape& shape, double good, double bad) const {
    Tensor tensor(shape, tape.dtype());
    for (Index i = 0; i < shape.size(); ++i) tensor.set(i, good);
    if (plant->active) tensor.set(plant->row * shape.cols() + plant->column, bad);
    return tape.constant(tensor);
  }
  Var fault(Tape& tape, Var n) const {
    const auto at = [&](double good, double bad) { return numbers(tape, n.shape(), good, bad); };
    const Var positive = 1.0 + square(n);
    switch (plant->fault) {
      case Fault::log_of_negative:
        plant->line = __LINE__ + 1;
        return log(positive * at(1, -1));
      case Fault::zero_by_zero:
        plant->line = __LINE__ + 1;
        return at(1, 0) / at(2, 0);
      case Fault::exp_overflow:
        plant->line = __LINE__ + 1;
        return exp(at(0, 1000) * positive);
      case Fault::sqrt_slope:
        plant->line = __LINE__ + 1;
        return sqrt(positive * at(1, 0));
      case Fault::pow_slope:
        plant->line = __LINE__ + 1;
        return pow(positive * at(1, 0), 0.3);
      case Fault::product_overflow: {  // 1e25 times a gradient of 1e20, where products are in f32
        const Var large = positive * at(1, 1e25);
        plant->line = __LINE__ + 1;
        const Var product = matmul(large, huge);
        return (product - tape.stop_gradient(product)) * 1e20;
      }
    }
    return n;
  }
};

std::string op_of(Fault f) {
  const char* names[] = {"log", "divide", "exp", "sqrt", "pow", "matmul"};
  return names[static_cast<int>(f)];
}
Phase phase_of(Fault f) {
  return f < Fault::sqrt_slope         ? Phase::forward
         : f < Fault::product_overflow ? Phase::backward
                                       : Phase::deferred;
}

Tensor row_of(const Shape& shape, std::initializer_list<double> numbers) {
  Tensor t(shape);
  Index i = 0;
  for (double x : numbers) t.set(i++, x);
  return t;
}
Tensor filled(const Shape& shape, Generator& g, DType dtype) {
  Tensor t(shape, dtype);
  for (Index i = 0; i < shape.size(); ++i) t.set(i, g.uniform(-1, 1));
  return t;
}

struct Net {
  Stack<Bidirectional<PlantedCell>> both;
  Stack<Unidirectional<PlantedCell>> one;

  Var operator()(const PackedSequence& xs) const {
    return both.layers.empty() ? one(xs).outputs.rows : both(xs).outputs.rows;
  }
  void members(Members& m) { m("both", both), m("one", one); }
};

std::string file_of(const char* path) {
  const std::string text(path);
  return text.substr(text.rfind('/') + 1);
}

}  // namespace

TEST_CASE("what is planted is found: 120 of 120") {
  Generator random(5);
  int found = 0;
  for (int trial = 0; trial < 120; ++trial) {
    const int depth = 1 + static_cast<int>(random.below(2));
    const bool both = random.below(2) == 0;
    const auto layer = random.below(static_cast<std::uint64_t>(depth));
    const bool reverse = random.below(2) == 0;
    const int recompute = both || random.below(3) > 0 ? 0 : 2;
    Plant plant{static_cast<Fault>(trial % 6), 0, 0, 0};
    // Nothing overflows in f64 that a gradient of 1e20 can bring about.
    const DType dtype = plant.fault == Fault::product_overflow || random.below(2) == 0 ? f32 : f64;
    const bool silent = phase_of(plant.fault) == Phase::forward && random.below(4) == 0;

    std::vector<int> lengths;
    for (int b = 0; b < 4; ++b) lengths.push_back(2 + static_cast<int>(random.below(6)));
    const Layout layout(lengths);
    plant.step = static_cast<int>(random.below(static_cast<std::uint64_t>(layout.steps())));
    plant.row = static_cast<Index>(random.below(static_cast<std::uint64_t>(layout.batch_size(plant.step))));
    plant.column = static_cast<Index>(random.below(5));

    Net net;
    std::string path = "layers." + std::to_string(layer);
    for (int i = 0; i < depth; ++i) {
      const Index in = i == 0 ? 3 : both ? 10 : 5;
      if (both)
        net.both.layers.push_back({PlantedCell(in, 5, random), PlantedCell(in, 5, random)});
      else
        net.one.layers.push_back(
            {PlantedCell(in, 5, random), reverse ? Order::reverse : Order::forward, recompute});
    }
    if (both) {
      (reverse ? net.both.layers[layer].reverse : net.both.layers[layer].forward).plant = &plant;
      path = "both." + path + (reverse ? ".reverse" : ".forward");
    } else {
      net.one.layers[layer].cell.plant = &plant;
      path = "one." + path + ".cell";
    }
    convert(net, dtype);

    Tape tape(dtype);
    const Tensor xs = filled({layout.rows(), 3}, random, dtype);
    const Tensor weights = filled({layout.rows(), both ? 10 : 5}, random, dtype);
    auto pass = [&] {
      tape.clear();
      Gradients gradients;
      const auto scope = enter(tape, net, "");
      if (silent) {
        const auto off = tape.no_gradient();
        (void)net({tape.constant(xs), &layout});
      } else {
        const Var out = net({tape.constant(xs), &layout});
        tape.backward(sum(out * tape.constant(weights)), gradients);
      }
    };
    INFO("trial " << trial << ": " << op_of(plant.fault) << " at step " << plant.step << " of " << path);
    plant.active = false;
    CHECK_FALSE(find_origin(tape, pass));
    plant.active = true;
    const auto origin = find_origin(tape, pass);
    REQUIRE(origin);
    INFO(origin->describe());
    CHECK(origin->source.empty());
    CHECK(origin->op == op_of(plant.fault));
    CHECK(origin->phase == phase_of(plant.fault));
    CHECK(origin->step == plant.step);
    CHECK(origin->module == path);
    CHECK(origin->location.line == plant.line);
    CHECK(file_of(origin->location.file) == "origin_test.cpp");
    // A row of the left factor is a column of that and a row of the weight.
    const bool is_product = plant.fault == Fault::product_overflow;
    CHECK(origin->element[0] == (is_product ? plant.column : plant.row));
    if (!is_product) {
      CHECK(origin->element[1] == plant.column);
      CHECK(origin->count == 1);
    }
    for (const Origin::Operand& o : origin->operands) CHECK(o.range.bad == 0);
    found += origin->source.empty() && origin->op == op_of(plant.fault) && origin->step == plant.step &&
             origin->module == path;
  }
  CHECK(found == 120);
}

TEST_CASE("a bad row of the input, and a bad parameter, are told from what an operation makes") {
  Generator g(1);
  const Layout layout(std::vector<int>{3, 5, 2});
  for (const int recompute : {0, 2})
    for (const Order order : {Order::forward, Order::reverse})
      for (const bool silent : {false, true}) {
        Unidirectional<PlantedCell> net{PlantedCell(3, 4, g), order, recompute};
        Tape tape;
        Tensor xs({layout.rows(), 3});
        const Index row = layout.row(1, 3);
        xs.set(row * 3 + 2, kNan);
        const int line = __LINE__ + 4;
        auto pass = [&] {
          tape.clear();
          Gradients gradients;
          const Var rows = tape.constant(xs);
          if (silent) {
            const auto off = tape.no_gradient();
            (void)net({rows, &layout});
          } else {
            tape.backward(sum(net({rows, &layout}).outputs.rows), gradients);
          }
        };
        auto origin = find_origin(tape, pass);
        REQUIRE(origin);
        CHECK(origin->source == fmt::format("a constant (origin_test.cpp:{})", line));
        CHECK(origin->shape == Shape{layout.rows(), 3});
        CHECK(origin->element[0] == row);
        CHECK(origin->element[1] == 2);
        CHECK(origin->module == "Unidirectional.cell.input");
        CHECK(std::isnan(origin->number));

        xs.set(row * 3 + 2, 0);
        net.cell.u.value().set(4 * 1 + 3, std::numeric_limits<double>::infinity());
        origin = find_origin(tape, pass);
        REQUIRE(origin);
        CHECK(origin->source == "parameter 'u'");
        CHECK(origin->element[0] == 1);
        CHECK(origin->element[1] == 3);
        CHECK(origin->step == (order == Order::forward ? 0 : 4));
        CHECK(origin->module == "Unidirectional.cell");
      }
}

TEST_CASE("a bad first state is blamed on where it came from, with gradients and without") {
  Generator g(1);
  const Gru cell(3, 4, g);
  Parameter h0("h0", {2, 4});
  h0.value().set(5, kNan);
  const Layout layout = Layout::uniform(2, 3);
  for (const bool silent : {false, true}) {
    Tape tape;
    const auto origin = find_origin(tape, [&] {
      auto run = [&] {
        (void)scan(cell, {tape.full({6, 3}, 0.5), &layout}, Order::forward, tape.parameter(h0));
      };
      if (!silent) return run();
      const auto off = tape.no_gradient();
      run();
    });
    REQUIRE(origin);
    CHECK(origin->source == "parameter 'h0'");
    CHECK(origin->element[0] == 1);
    CHECK(origin->element[1] == 1);
  }
}

TEST_CASE("what an origin says") {
  Tape tape;
  Gradients gradients;
  const int line = __LINE__ + 3;
  auto pass = [&] {
    const Var x = tape.variable(row_of({1, 3}, {0, 4, 9}));
    tape.backward(sum(sqrt(x)), gradients);
  };
  const auto origin = find_origin(tape, pass);
  REQUIRE(origin);
  CHECK(origin->describe() ==
        "sqrt made inf out of finite numbers, backward (origin_test.cpp:" + std::to_string(line) +
            "): gradient of input 0 [1, 3], 1 element, first [0, 0]; gradient of output 0 [1, 3] in [1, 1], "
            "input 0 [1, 3] in [0, 9]");
  const nlohmann::json json = *origin;
  CHECK(json["op"] == "sqrt");
  CHECK(json["operands"][1]["high"] == 9);
  CHECK(json["text"] == origin->describe());

  tape.clear();
  const int leaf_line = __LINE__ + 3;
  const auto leaf = find_origin(tape, [&] {
    const auto scope = tape.scope("part");
    (void)exp(tape.rows(tape.variable(row_of({3, 1}, {0, 4, kNan})), 1, 2));
  });
  REQUIRE(leaf);
  CHECK(leaf->describe() ==
        fmt::format(
            "nan came with a variable (origin_test.cpp:{0}) [3, 1]: 1 element, first [2, 0]; first used "
            "by exp, forward of part (origin_test.cpp:{0})",
            leaf_line));
}

TEST_CASE("sums overflow too: in place, and of gradients") {
  Tape tape;
  Gradients gradients;
  Parameter w("w", {1, 1});
  w.value().set(0, 3e38);
  auto pass = [&] {
    tape.clear();
    const Var a = tape.constant({1, 1}, std::vector<float>{1.0f});
    const Var sum = tape.donate_to_ops(matmul(a, w));
    REQUIRE(sum.defined());
    (void)ops::add_matmul_in_place(sum, a, w);
  };
  const auto in_place = find_origin(tape, pass);
  REQUIRE(in_place);
  CHECK(in_place->source.empty());
  CHECK(in_place->operands[2].range.high == doctest::Approx(3e38));
  CHECK(in_place->operands[2].range.bad == 0);

  tape.clear();
  const auto of_gradients = find_origin(tape, [&] {
    const Var x = tape.variable(row_of({1, 1}, {1e-38}));
    tape.backward(sum(x * 2e38 + x * 3e38), gradients);
  });
  REQUIRE(of_gradients);
  CHECK(of_gradients->op == "multiply");
  CHECK(of_gradients->phase == Phase::backward);
}

TEST_CASE("bad seeds, gradients from before, and rows of a table") {
  Generator g(1);
  Tape tape;
  Gradients gradients;
  const Embedding table(4, 2, g);
  const std::vector<int> ids{3, 1};
  auto pass = [&](double seed) {
    tape.clear();
    Tensor d({2, 2});
    d.set(1, seed);
    tape.backward(table(tape, ids), d, gradients);
  };
  CHECK_FALSE(find_origin(tape, [&] { pass(2e38); }));
  auto origin = find_origin(tape, [&] { pass(2e38); });  // the sums go on
  REQUIRE(origin);
  CHECK(origin->source.empty());
  CHECK(origin->place == "gradient of input 0");
  CHECK(origin->element[0] == 3);
  CHECK(origin->element[1] == 1);

  origin = find_origin(tape, [&] { pass(1); });
  REQUIRE(origin);
  CHECK(origin->source == "the gradient of 'weight' before this pass");

  gradients.clear();
  origin = find_origin(tape, [&] { pass(kNan); });
  REQUIRE(origin);
  CHECK(origin->source == "the seed of backward");
  CHECK(origin->element[1] == 1);
}

TEST_CASE("infinities on purpose can be allowed") {
  Tape tape;
  auto pass = [&] {
    tape.clear();
    const Var mask = log(tape.constant({1, 2}, std::vector<float>{1, 0}));
    (void)log(exp(mask) - 0.5);
  };
  auto origin = find_origin(tape, pass);
  REQUIRE(origin);
  CHECK(origin->number == -std::numeric_limits<double>::infinity());
  CHECK(origin->operands[0].range.low == 0);
  origin = find_origin(tape, pass, inspect::Bad::nan);
  REQUIRE(origin);
  CHECK(std::isnan(origin->number));
  CHECK(origin->operands[0].range.low == doctest::Approx(-0.5));
  CHECK(origin->describe().find("log made nan out of finite numbers") == 0);
}

TEST_CASE("what is said of a NaN is true: infinities may be among what it was made of, its sign is chance") {
  Tape tape;
  const auto infinite = find_origin(
      tape,
      [&] {
        const Var mask = log(tape.constant({1, 2}, std::vector<float>{1, 0}));
        (void)(mask - mask);
      },
      inspect::Bad::nan);
  REQUIRE(infinite);
  CHECK(infinite->describe().find("subtract made nan out of numbers that are no NaN, forward") == 0);
  CHECK(nlohmann::json(*infinite)["out_of"] == "numbers that are no NaN");
  const auto zeros = find_origin(tape, [&] { (void)(tape.full({1}, 0) / tape.full({1}, 0)); });
  REQUIRE(zeros);
  CHECK(zeros->describe().find("divide made nan out of finite numbers, forward") == 0);
  CHECK(nlohmann::json(*zeros)["number"] == "nan");
}

TEST_CASE("a watch that comes late blames what was recorded before") {
  Tape tape;
  const Var bad = log(tape.full({2, 2}, -1));
  const auto origin = find_origin(tape, [&] { (void)(bad + 1); });
  REQUIRE(origin);
  CHECK(origin->source.starts_with("log (origin_test.cpp:"));
  CHECK(origin->op == "add");
}
