// A cell is a function of its arguments: what it keeps for itself is right or refused, and what it was given
// may go.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/transient.h"
#include "nn/nn.h"
#include "tests/message.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using unroll::tests::message;

namespace {

// Looks back three steps through handles that it kept: right where all is kept for backward, else refused.
struct Dilated {
  Linear input;
  Parameter u;
  mutable std::vector<Var> history{};
  explicit Dilated(Generator& g) : input(3, 4, g), u("u", {4, 4}) { initialise::normal(u, g, 0, 0.3); }
  Var project(Var xs) const {
    history.clear();
    return input(xs);
  }
  Var step(Projected x, Var h) const {
    const Var past = history.size() < 3 ? h : history[history.size() - 3];
    const Var next = tanh(x.add(rows(past, 0, h.rows()), u));
    history.push_back(next);
    return next;
  }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, 4}); }
  void members(Members& m) { m("input", input), m("u", u); }
};

// Dropout with a generator of its own, in the cell or elsewhere.
struct OwnNoise {
  Gru gru;
  Generator* elsewhere = nullptr;
  mutable Generator within{7};
  Var project(Var xs) const { return gru.project(xs); }
  Var step(Projected x, Var h) const {
    return dropout(gru.step(std::move(x), h), 0.3, elsewhere ? *elsewhere : within);
  }
  Var initial(Tape& tape, Index batch) const { return gru.initial(tape, batch); }
  void members(Members& m) { m("gru", gru); }
};

}  // namespace

TEST_CASE("a handle of an earlier step is right or refused, never another value") {
  Generator g(1);
  const Dilated cell(g);
  const Layout layout = Layout::uniform(2, 7);
  Tape tape;
  const Var xs = tape.constant(tests::random_tensor({14, 3}, 1));
  CHECK(scan(cell, {xs, &layout}).outputs.rows.rows() == 14);
  {
    const auto silent = tape.no_gradient();
    const std::string said = message([&] { (void)scan(cell, {xs, &layout}); });
    INFO(said);
    CHECK(said.starts_with("[value] a handle of an earlier time step came"));
    CHECK(said.find("cell_lifetimes_test.cpp") != std::string::npos);
  }
  Var kept;
  const auto silent = tape.no_gradient();
  {
    const autograd::Transient step(tape);
    kept = xs * 2.0;
    CHECK(kept.shape() == xs.shape());
  }
  (void)(xs * 3.0);  // lies where it lay
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { (void)kept.tensor(); }, [&] { (void)kept.shape(); }, [&] { (void)(kept + xs); },
           [&] { (void)tape.rows(kept, 0, 1); }, [&] { (void)kept.tape(); }})
    CHECK(message(use).find("a handle of an earlier time step came") != std::string::npos);
}

TEST_CASE("a cell that is not a function of its arguments is found out when it is recomputed") {
  Generator g(1);
  OwnNoise cell{Gru(3, 4, g)};
  const Layout layout = Layout::uniform(2, 6);
  Tape tape;
  Gradients gradients;
  const Var xs = tape.constant(tests::random_tensor({12, 3}, 1));
  CHECK(message([&] {
          (void)scan_recomputed(cell, {xs, &layout}, 2);
        }).starts_with("[scan] OwnNoise has another value after its steps than before; needed a function"));
  Generator elsewhere(7);
  cell.elsewhere = &elsewhere;
  const auto s = scan_recomputed(cell, {xs, &layout}, 2);
  const std::string said = message([&] { tape.backward(ops::sum(s.outputs.rows), gradients); });
  CHECK(said.starts_with("[recompute] row "));
  CHECK(said.find("came out otherwise when backward computed it again") != std::string::npos);
  bool any = false;
  gradients.each([&](const Gradients::Entry&) { any = true; });
  CHECK_FALSE(any);
}

TEST_CASE(
    "a cell that looks back through handles it kept is refused when it is recomputed, in any segments") {
  Generator g(1);
  const Dilated cell(g);
  const Layout layout({7, 6});
  Tape tape;
  const Var xs = tape.constant(tests::random_tensor({13, 3}, 1));
  for (Index steps = 1; steps <= 8; ++steps) {
    const std::string said = message([&] { (void)scan_recomputed(cell, {xs, &layout}, steps); });
    CHECK_MESSAGE(said.find(steps <= 3 ? "Dilated has another value after its steps"
                                       : "a handle of an earlier time") != std::string::npos,
                  steps << ": " << said);
  }
}

TEST_CASE("layout and resets may be gone before backward computes segments again") {
  Generator g(2);
  const Gru cell(3, 4, g);
  const Tensor x = tests::random_tensor({13, 3}, 1).to(f32);
  const auto gradient = [&](bool gone) {
    Tape tape;
    Gradients gradients;
    auto layout = std::make_unique<Layout>(std::initializer_list<int>{4, 7, 2});
    auto resets = std::make_unique<std::vector<std::uint8_t>>(13);
    (*resets)[5] = (*resets)[9] = 1;
    const Var y = scan_recomputed(cell, {tape.constant(x), layout.get(), *resets}, 2).outputs.rows;
    if (gone) {
      std::fill(resets->begin(), resets->end(), 1);
      resets.reset();
      *layout = Layout({1});
      layout.reset();
    }
    tape.backward(ops::sum(square(y)), gradients);
    return gradients.dense(cell.weight_hh).values();
  };
  CHECK(gradient(true) == gradient(false));
}

TEST_CASE("a model that moves, changes or dies before backward computes segments again is refused") {
  Generator g(2);
  const Layout layout({4, 7, 2});
  const Tensor x = tests::random_tensor({13, 3}, 1).to(f32);
  const auto said = [&](const std::function<void(std::unique_ptr<Gru>&)>& happens) {
    auto cell = std::make_unique<Gru>(3, 4, g);
    Tape tape;
    Gradients gradients;
    const Var y = scan_recomputed(*cell, {tape.constant(x), &layout}, 2).outputs.rows;
    happens(cell);
    return message([&] { tape.backward(ops::sum(square(y)), gradients); });
  };
  CHECK(said([](auto&) {}).empty());
  CHECK(said([](auto& cell) {
          cell = std::make_unique<Gru>(std::move(*cell));
        }).find("was moved since this tape") != std::string::npos);
  CHECK(said([](auto& cell) { cell.reset(); }).find("has died since this tape read it") != std::string::npos);
  CHECK(said([](auto& cell) {
          cell->weight_hh.value().set(0, 1);
        }).find("'weight_hh' was changed by Parameter::value") != std::string::npos);
}
