// Segments computed again in backward, and passes without gradients: the same numbers, in less memory.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "autograd/gradient_check.h"
#include "nn/cells.h"
#include "nn/recurrent.h"
#include "ops/reduce.h"
#include "ops/simd/instruction_set.h"
#include "tests/nn/minimal_gated_unit.h"

using namespace unroll;

namespace {

Tensor random_tensor(const Shape& shape, DType dtype, std::uint64_t seed) {
  Generator generator(seed);
  Tensor t(shape, dtype);
  for (Index i = 0; i < t.size(); ++i) t.set(i, generator.normal());
  return t;
}

constexpr Index kIn = 3, kHidden = 4;

template <class M>
M randomised(M module) {
  nn::convert(module, f64);
  std::uint64_t seed = 100;
  for (const NamedParameter& p : parameters(module))
    p.parameter->value() = random_tensor(p.parameter->shape(), f64, seed++);
  return module;
}

// Calls f with every cell.
template <class F>
void each_cell(F f) {
  Generator g(1);
  f("elman", randomised(Elman(kIn, kHidden, g)));
  f("lstm", randomised(Lstm(kIn, kHidden, g, {.peepholes = true, .projection = 3})));
  f("gru, reset after", randomised(Gru(kIn, kHidden, g, Reset::after)));
  f("gru, reset before", randomised(Gru(kIn, kHidden, g, Reset::before)));
  f("minimal gated unit", randomised(MinimalGatedUnit(kIn, kHidden, g)));
}

// A loss of all that a scan gives.
template <class Scanned>
Var loss_of(Tape& tape, const Scanned& scanned) {
  const Var y = scanned.outputs.rows;
  Var loss = ops::sum(y * tape.constant(random_tensor(y.shape(), tape.dtype(), 8)));
  for (const Var* v : nn::fields(scanned.last)) loss = loss + ops::sum(square(*v));
  return loss;
}

}  // namespace

TEST_CASE("the gradient of a recomputed scan is right, for every cell, ragged and in both orders") {
  each_cell([](const char* name, auto cell) {
    CAPTURE(std::string(name));
    for (const auto& lengths : std::vector<std::vector<int>>{{5}, {3, 3}, {2, 5, 1, 5}, {7, 2, 2, 3}})
      for (Order order : {Order::forward, Order::reverse})
        for (Index segment : {1, 2, 3, 10}) {
          CAPTURE(segment);
          const Layout layout(lengths);
          const std::vector<Tensor> xs{random_tensor({layout.rows(), kIn}, f64, 7)};
          auto run = [&](Tape& tape, Var x) {
            return loss_of(tape, scan_recomputed(cell, PackedSequence{x, &layout}, segment, order));
          };
          const auto by_parameters =
              check_gradient([&](Tape& tape) { return run(tape, tape.constant(xs[0])); }, parameters(cell));
          CHECK(by_parameters.error < 1e-6);
          const auto by_input =
              check_gradient([&](Tape& tape, std::span<const Var> x) { return run(tape, x[0]); }, xs);
          CHECK(by_input.error < 1e-6);
        }
  });
}

// Where products are OpenBLAS's, it orders the sums: then gradients agree to rounding.
TEST_CASE("a recomputed scan has the same bits") {
  const bool our_products = std::string_view(instruction_set()) != "SSE2";
  each_cell([&](const char* name, auto module) {
    CAPTURE(std::string(name));
    for (DType dtype : {f32, f64})
      for (bool outputs : {false, true})
        for (Index batch : {1, 3}) {
          nn::convert(module, dtype);
          const auto& cell = module;
          const Layout layout = Layout::uniform(batch, 23);
          const Tensor xs = random_tensor({layout.rows(), kIn}, dtype, 9);
          // The value, and all gradients, of one way to run.
          auto run = [&](auto scan_it) {
            Tape tape(dtype);
            Gradients gradients;
            const Var x = tape.variable(xs);
            const Var loss = scan_it(tape, PackedSequence{x, &layout});
            tape.backward(loss, gradients);
            std::vector<Tensor> all{loss.tensor(), tape.gradient(x)};
            for (const NamedParameter& p : parameters(module)) all.push_back(gradients.dense(*p.parameter));
            return all;
          };
          auto last_only = [](const auto& state) {
            Var loss;
            for (const Var* v : nn::fields(state))
              loss = loss.defined() ? loss + ops::sum(square(*v)) : ops::sum(square(*v));
            return loss;
          };
          const auto plain = run([&](Tape& tape, const PackedSequence& s) {
            const auto scanned = scan(cell, s);
            return outputs ? loss_of(tape, scanned) : last_only(scanned.last);
          });
          for (Index segment : {1, 5, 23}) {
            const auto again = run([&](Tape& tape, const PackedSequence& s) {
              return outputs ? loss_of(tape, scan_recomputed(cell, s, segment))
                             : last_only(last_state_recomputed(cell, s, segment));
            });
            for (std::size_t i = 0; i < plain.size(); ++i) {
              CAPTURE(i);
              if (our_products) CHECK(plain[i].values() == again[i].values());
              for (Index k = 0; k < plain[i].size() && !our_products; ++k)
                CHECK(plain[i].at(k) == doctest::Approx(again[i].at(k)).epsilon(dtype == f32 ? 1e-5 : 1e-13));
            }
          }
        }
  });
}

TEST_CASE("a layer that recomputes is a layer") {
  Generator g(2);
  Stack<Unidirectional<Lstm>> net;
  for (Index in : {kIn, kHidden}) net.layers.push_back({Lstm(in, kHidden, g), Order::forward, 4});
  nn::convert(net, f64);
  const Layout layout(std::vector<int>{9, 6});
  const Tensor xs = random_tensor({layout.rows(), kIn}, f64, 3);
  const auto check = check_gradient(
      [&](Tape& tape) {
        return loss_of(tape, net(PackedSequence{tape.constant(xs), &layout}));
      },
      parameters(net));
  CHECK(check.error < 1e-6);
  CHECK_THROWS_WITH_AS(scan_recomputed(net.layers[0].cell, {Tape().zeros({15, kIn}), &layout}, 0),
                       doctest::Contains("a segment of 0 steps came; needed at least 1"), Error);
}

TEST_CASE("long backpropagation takes a small part of the memory") {
  Generator g(3);
  const Lstm cell(2, 64, g);
  constexpr Index kSteps = 16000, kSegment = 128;  // so many that the first block of an arena counts little
  const Layout layout = Layout::uniform(1, kSteps);
  const Tensor xs = random_tensor({kSteps, 2}, f32, 4);
  auto memory = [&](auto last_of) {
    Tape tape;
    Gradients gradients;
    tape.backward(ops::sum(last_of(PackedSequence{tape.constant(xs), &layout})), gradients);
    return tape.memory();
  };
  const auto plain = memory([&](const PackedSequence& s) { return scan(cell, s).last.h; });
  const auto again =
      memory([&](const PackedSequence& s) { return last_state_recomputed(cell, s, kSegment).h; });
  CHECK(static_cast<double>(again) < 0.08 * static_cast<double>(plain));
}

TEST_CASE("without gradients a scan gives the same numbers in the memory of one step") {
  each_cell([](const char* name, auto cell) {
    CAPTURE(std::string(name));
    for (const auto& lengths : std::vector<std::vector<int>>{{5}, {3, 3}, {2, 5, 1, 5}})
      for (Order order : {Order::forward, Order::reverse}) {
        const Layout layout(lengths);
        const Tensor xs = random_tensor({layout.rows(), kIn}, f64, 7);
        auto run = [&](bool silent) {
          Tape tape(f64);
          auto scan_it = [&] { return scan(cell, PackedSequence{tape.constant(xs), &layout}, order); };
          auto scan_silently = [&] {
            const auto scope = tape.no_gradient();
            return scan_it();
          };
          const auto scanned = silent ? scan_silently() : scan_it();
          std::vector<Tensor> all{scanned.outputs.rows.tensor()};
          for (const Var* v : nn::fields(scanned.last)) all.push_back(v->tensor());
          return all;
        };
        const auto expected = run(false), got = run(true);
        for (std::size_t i = 0; i < expected.size(); ++i) CHECK(got[i].values() == expected[i].values());
      }
  });
  Generator g(4);
  const Gru cell(2, 8, g);
  auto nodes = [&](Index steps) {
    const Layout layout = Layout::uniform(1, steps);
    Tape tape;
    const auto silent = tape.no_gradient();
    (void)scan(cell, PackedSequence{tape.zeros({steps, 2}), &layout});
    return tape.nodes().size();
  };
  CHECK(nodes(100) == nodes(10));
}

TEST_CASE("a pass without gradients leaves those of the same tape alone") {
  Generator g(5);
  const Gru cell(2, 8, g);
  const Layout layout = Layout::uniform(2, 5);
  const Tensor xs = random_tensor({layout.rows(), 2}, f32, 6);
  auto gradient = [&](bool look_first) {
    Tape tape;
    Gradients gradients;
    const PackedSequence s{tape.constant(xs), &layout};
    if (look_first) {
      const auto silent = tape.no_gradient();
      (void)scan(cell, s);
    }
    tape.backward(ops::sum(square(scan(cell, s).last)), gradients);
    return gradients.dense(cell.weight_hh).values();
  };
  CHECK(gradient(true) == gradient(false));
  Tape tape;
  Gradients gradients;
  const auto silent = tape.no_gradient();
  const Var y = ops::sum(scan(cell, {tape.constant(xs), &layout}).last);
  CHECK_THROWS_WITH_AS(tape.backward(y, gradients), doctest::Contains("depends on no trainable parameter"),
                       Error);
}
