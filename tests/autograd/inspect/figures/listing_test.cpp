#include "autograd/inspect/figures/listing.h"

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>

#include "nn/nn.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;
using inspect::Listing;

namespace {

struct Net {
  MinimalGatedUnit cell;
  Linear head;
  void members(Members& m) { m("cell", cell), m("head", head); }
};

}  // namespace

TEST_CASE("a tape is listed line by line") {
  Generator g(1);
  const Net net{MinimalGatedUnit(3, 4, g), Linear(4, 2, g)};
  const Layout layout = Layout::uniform(2, 2);
  Tape tape;
  const auto scope = enter(tape, net, "");
  const int scanned = __LINE__ + 1;
  const Var h = scan(net.cell, {tape.full({4, 3}, 0.5), &layout}).last;
  const int line = __LINE__ + 1;
  (void)exp(net.head(tape.rows(h, 0, 1)));

  const Listing all(tape);
  std::string expected = R"(
node  op        shape   inputs                        module      step  bytes  gradient  line
   0  matmul    [4, 8]  a constant, 'weight', 'bias'  cell.input     -    128  yes       minimal_gated_unit.h:18
   1  sigmoid   [2, 4]  %0[0:2, 0:4]                  cell           0     32  yes       minimal_gated_unit.h:21 from listing_test.cpp:SCAN
   2  multiply  [2, 4]  %1, a constant                cell           0     32  yes       minimal_gated_unit.h:22 from listing_test.cpp:SCAN
   3  matmul    [2, 4]  %2, 'u_n', %0[0:2, 4:8]       cell           0      0  yes       minimal_gated_unit.h:22 from listing_test.cpp:SCAN
   4  mgu       [2, 4]  %1, %3, a constant            cell           0     32  yes       minimal_gated_unit.h:24 from listing_test.cpp:SCAN
   5  matmul    [2, 4]  %4, 'u_f', %0[2:4, 0:4]       cell           1      0  yes       minimal_gated_unit.h:21 from listing_test.cpp:SCAN
   6  sigmoid   [2, 4]  %5                            cell           1     32  yes       minimal_gated_unit.h:21 from listing_test.cpp:SCAN
   7  multiply  [2, 4]  %6, %4                        cell           1     32  yes       minimal_gated_unit.h:22 from listing_test.cpp:SCAN
   8  matmul    [2, 4]  %7, 'u_n', %0[2:4, 4:8]       cell           1      0  yes       minimal_gated_unit.h:22 from listing_test.cpp:SCAN
   9  mgu       [2, 4]  %6, %8, %4                    cell           1     32  yes       minimal_gated_unit.h:24 from listing_test.cpp:SCAN
  10  matmul    [1, 2]  %9[0:1], 'weight', 'bias'     head           -      8  yes       listing_test.cpp:LINE
  11  exp       [1, 2]  %10                                          -      8  yes       listing_test.cpp:LINE
)";
  for (const auto& [word, number] : {std::pair("LINE", line), std::pair("SCAN", scanned)})
    for (std::size_t at; (at = expected.find(word)) != std::string::npos;)
      expected.replace(at, 4, std::to_string(number));
  CHECK("\n" + to_string(all) == expected);
  std::ostringstream out;
  out << all;
  CHECK(out.str() == to_string(all));
}

TEST_CASE("lines are found by module, op, time step and size") {
  Generator g(1);
  Stack<Bidirectional<Lstm>> net;
  net.layers.push_back({Lstm(3, 4, g), Lstm(3, 4, g)});
  net.layers.push_back({Lstm(8, 4, g), Lstm(8, 4, g)});
  const Layout layout(std::vector<int>{7, 4});
  Tape tape;
  const auto scope = enter(tape, net, "");
  (void)net({tape.full({layout.rows(), 3}, 0.5), &layout});

  const Listing all(tape);
  CHECK(all.size() == tape.nodes().size());
  CHECK(all.of_op("lstm").size() == 4 * 7);
  CHECK(all.in("").size() == all.size());
  CHECK(all.in("layers.1").of_op("lstm").size() == 2 * 7);
  CHECK(all.in("layers.1.reverse").at_steps(2, 4).of_op("lstm").size() == 3);
  CHECK(all.in("layers.1.rev").size() == 0);
  CHECK(all.in("layers.1").size() + all.in("layers.0").size() == all.size());
  for (const inspect::Line& line : all.of_op("lstm")) CHECK(line.shapes.size() == 2);
  const std::size_t sums = static_cast<std::size_t>(layout.rows()) * 16 * sizeof(float);
  CHECK(all.of_size(sums).size() == 4);  // what is projected, in both layers and directions
  CHECK(all.of_size(sums + 1).size() == 0);
  for (const inspect::Line& line : all.of_op("add_matmul"))
    CHECK(line.bytes == 0);  // in the memory of affine

  const Listing by_hand = all.location([](const inspect::Line& line) { return line.step == 6; });
  CHECK(by_hand.size() == all.at_steps(6, 6).size());
}

TEST_CASE("inputs have the names of what made them") {
  Generator g(1);
  const Parameter w("w", {2, 2});
  Tape tape;
  const Var x = tape.variable(Tensor({3, 2}));
  const auto parts = pointwise(
      "both",
      [](auto a) {
        return std::tuple{a, -a};
      },
      x);
  const Var y = matmul(tape.rows(parts[1], 0, 2), w);
  {
    const auto silent = tape.no_gradient();
    (void)(y + tape.rows(parts[0], 1, 2));
  }
  const Listing all(tape);
  CHECK(all[0].inputs == std::vector<std::string>{"a variable"});
  CHECK(all[1].inputs == std::vector<std::string>{"%0.1[0:2]", "'w'"});
  CHECK(all[1].wants_gradient);
  CHECK(all[2].inputs == std::vector<std::string>{"%1", "%0[1:3]"});
  CHECK_FALSE(all[2].wants_gradient);
  CHECK(all[0].shape_text() == "[3, 2] [3, 2]");
  CHECK(all[0].location.starts_with("listing_test.cpp:"));
}

TEST_CASE("parts of a value are told apart: rows, columns, both") {
  Tape tape;
  const Var x = exp(tape.variable(Tensor({6, 8})));
  const Var cube = exp(tape.variable(Tensor({3, 2, 4})));
  std::array<Var, 2> halves;
  tape.split(x, halves);
  (void)(halves[0] * halves[1]);
  (void)exp(tape.rows(halves[1], 2, 3));
  (void)exp(tape.reshape(x, Shape{48}));
  (void)exp(tape.rows(cube, 1, 2));
  (void)exp(tape.columns(exp(tape.full({5}, 1)), 1, 3));
  const Listing all(tape);
  CHECK(all[2].inputs == std::vector<std::string>{"%0[:, 0:4]", "%0[:, 4:8]"});
  CHECK(all[3].inputs == std::vector<std::string>{"%0[2:5, 4:8]"});
  CHECK(all[4].inputs == std::vector<std::string>{"%0"});
  CHECK(all[5].inputs == std::vector<std::string>{"%1[1:3]"});
  CHECK(all[7].inputs == std::vector<std::string>{"%6[1:4]"});
}

TEST_CASE("a listing is read while its pass is on the tape") {
  Tape tape;
  (void)exp(tape.full({2}, 1));
  const Listing all(tape);
  (void)exp(tape.full({2}, 1));
  CHECK(all.size() == 1);
  CHECK(all[0].op == "exp");
  tape.clear();
  CHECK_THROWS_WITH_AS(all[0], doctest::Contains("[listing] a tape came that was cleared"), Error);
}
