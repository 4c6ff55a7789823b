// Both directions at once, on the threads of a thread pool: the same numbers as one after the other.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/gradient_check.h"
#include "autograd/system/thread_pool.h"
#include "nn/nn.h"
#include "tests/allocation_count.h"
#include "tests/nn/every_cell.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using namespace unroll::tests;

namespace {

constexpr Index kIn = 24, kHidden = 40;
const std::vector<int> kEqual{60}, kRagged{20, 55, 1, 55, 33};

bool parallel(const Tape& tape) {
  return std::ranges::any_of(tape.nodes(), [](const autograd::Node& node) {
    return std::string(node.table->name(node.op)) == "parallel";
  });
}

// What one way to run gives: the loss, the outputs, the gradients of the input and of all parameters.
struct Run {
  bool parallel = false;
  std::vector<Tensor> numbers;
};

template <class Net>
Run run(Net& net, const Layout& layout, const Tensor& xs, Tape& tape, bool first = true) {
  tape.clear();
  Gradients gradients;
  const Var x = tape.variable(xs);
  const auto result = net(PackedSequence{x, &layout});
  const Var y = result.outputs.rows;
  Var loss = ops::sum(y * tape.constant(random_tensor(y.shape(), 8)));
  for (const Var* v : nn::fields(result.last_forward)) loss = loss + ops::sum(square(*v));
  if (first)  // else no gradient reaches the last state of one direction
    for (const Var* v : nn::fields(result.last_reverse)) loss = loss + ops::sum(square(*v));
  tape.backward(loss, gradients);
  Run all{parallel(tape), {loss.tensor(), y.tensor(), tape.gradient(x)}};
  for (const NamedParameter& p : parameters(net))
    all.numbers.push_back(gradients.find(*p.parameter) ? gradients.dense(*p.parameter)
                                                       : Tensor(p.parameter->shape(), tape.dtype()));
  return all;
}

void check_same(const Run& a, const Run& b) {
  REQUIRE(a.numbers.size() == b.numbers.size());
  for (std::size_t i = 0; i < a.numbers.size(); ++i) CHECK(a.numbers[i].values() == b.numbers[i].values());
}
void check_close(const Run& a, const Run& b, double tolerance) {
  REQUIRE(a.numbers.size() == b.numbers.size());
  for (std::size_t i = 0; i < a.numbers.size(); ++i) {
    double largest = 1, error = 0;
    for (Index k = 0; k < a.numbers[i].size(); ++k) {
      largest = std::max(largest, std::abs(a.numbers[i].at(k)));
      error = std::max(error, std::abs(a.numbers[i].at(k) - b.numbers[i].at(k)));
    }
    CAPTURE(i);
    CHECK(error <= tolerance * largest);
  }
}

}  // namespace

TEST_CASE(
    "both directions at once: for every cell the numbers of one after the other, the same bits each time") {
  ThreadPool thread_pool(2);
  each_cell(kHidden, [&](const std::string& name, auto make, Index width) {
    CAPTURE(name);
    auto net = both_directions(make, kIn, width, 2);
    randomise(net, 0.2);
    for (DType dtype : {f64, f32}) {
      nn::convert(net, dtype);
      for (const auto& lengths : {kEqual, kRagged}) {
        const Layout layout(lengths);
        const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
        Tape plain(dtype), tape(dtype);
        tape.use_threads(&thread_pool);
        const Run expected = run(net, layout, xs, plain), got = run(net, layout, xs, tape);
        CHECK_FALSE(expected.parallel);
        CHECK(got.parallel);
        check_close(expected, got, dtype == f64 ? 1e-12 : 1e-4);
        for (int again = 0; again < 3; ++again) check_same(got, run(net, layout, xs, tape));
        tape.poison(true);
        check_same(got, run(net, layout, xs, tape));
      }
    }
  });
}

TEST_CASE("both directions at once: results that nothing depends on, and frozen parameters") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Lstm> net{Lstm(kIn, kHidden, g), Lstm(kIn, kHidden, g)};
  randomise(net, 0.2);
  net.forward.weight_hh.freeze();
  const Layout layout(kRagged);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape plain(f64), tape(f64);
  tape.use_threads(&thread_pool);
  check_close(run(net, layout, xs, plain, false), run(net, layout, xs, tape, false), 1e-12);

  // A loss of one direction alone: the other gets no gradient, as ever.
  for (Tape* t : {&plain, &tape}) {
    t->clear();
    Gradients gradients;
    const auto both = net({t->constant(xs), &layout});
    t->backward(ops::sum(both.last_forward.h), gradients);
    CHECK(global_norm(gradients) > 0);
    if (gradients.find(net.reverse.weight_ih))
      for (const double d : gradients.dense(net.reverse.weight_ih).values()) CHECK(d == 0);
  }
}

TEST_CASE("both directions at once: one cell for both, whose gradients are the sum") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Gru cell(kIn, kHidden, g);
  randomise(cell, 0.2);
  struct Shared {
    Gru& cell;
    auto operator()(const PackedSequence& xs) const { return scan_both(cell, cell, xs); }
    void members(Members& m) { cell.members(m); }
  } net{cell};
  const Layout layout(kRagged);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape plain(f64), tape(f64);
  tape.use_threads(&thread_pool);
  const Run expected = run(net, layout, xs, plain), got = run(net, layout, xs, tape);
  CHECK(got.parallel);
  check_close(expected, got, 1e-12);
  for (int again = 0; again < 5; ++again) check_same(got, run(net, layout, xs, tape));
}

TEST_CASE("both directions at once: from given states, and truncated") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Lstm> net{Lstm(kIn, kHidden, g), Lstm(kIn, kHidden, g)};
  randomise(net, 0.2);
  const Layout layout(kRagged);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  std::vector<Tensor> states;
  for (int i = 0; i < 4; ++i) states.push_back(random_tensor({layout.batch(), kHidden}, 30 + i));
  for (Index truncation : {0, 7}) {
    auto gradients_of = [&](bool with_threads) {
      Tape tape(f64);
      if (with_threads) tape.use_threads(&thread_pool);
      tape.truncate(truncation);
      Gradients gradients;
      std::vector<Var> s;
      for (const Tensor& state : states) s.push_back(tape.variable(state));
      const auto both =
          scan_both(net.forward, net.reverse, {tape.constant(xs), &layout},
                    std::optional(Lstm::State{s[0], s[1]}), std::optional(Lstm::State{s[2], s[3]}));
      CHECK(parallel(tape) == with_threads);
      tape.backward(ops::sum(square(both.outputs.rows)) + ops::sum(both.last_forward.c * both.last_reverse.c),
                    gradients);
      Run all;
      for (const Var v : s) all.numbers.push_back(tape.gradient(v));
      for (const NamedParameter& p : parameters(net)) all.numbers.push_back(gradients.dense(*p.parameter));
      return all;
    };
    check_close(gradients_of(false), gradients_of(true), 1e-12);
  }
}

TEST_CASE("both directions at once: the same numbers on a tape without gradients") {
  ThreadPool thread_pool(3);
  each_cell(kHidden, [&](const std::string& name, auto make, Index width) {
    CAPTURE(name);
    auto net = both_directions(make, kIn, width, 2);
    randomise(net, 0.2);
    const Layout layout(kRagged);
    const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
    auto outputs = [&](bool with_threads) {
      Tape tape(f64);
      if (with_threads) tape.use_threads(&thread_pool);
      const auto silent = tape.no_gradient();
      const auto both = net({tape.constant(xs), &layout});
      CHECK(parallel(tape) == with_threads);
      std::vector<Tensor> all{both.outputs.rows.tensor()};
      for (const Var* v : nn::fields(both.last_reverse)) all.push_back(v->tensor());
      return all;
    };
    const auto expected = outputs(false), got = outputs(true);
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].values() == expected[i].values());
  });
}

namespace {

// Wrong at one time step, if it is told so.
struct Failing {
  MinimalGatedUnit cell;
  bool fails = false;
  Var project(Var xs) const { return cell.project(xs); }
  Var step(nn::Projected x, Var h) const {
    if (fails && h.tape().time_step() == 11) h = matmul(h, h);
    return cell.step(std::move(x), h);
  }
  Var initial(Tape& tape, Index batch) const { return cell.initial(tape, batch); }
  void members(Members& m) { m("cell", cell); }
};

}  // namespace

TEST_CASE("both directions at once: an error in one comes to the caller in the same words, and all goes on") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Failing> net{{{kIn, kHidden, g}}, {{kIn, kHidden, g}}};
  const Layout layout = Layout::uniform(3, 40);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape plain, tape;
  tape.use_threads(&thread_pool);
  const auto message = [&](Tape& t) -> std::string {
    try {
      run(net, layout, xs, t);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  for (const auto& [there, back] : {std::pair{true, false}, {false, true}, {true, true}}) {
    net.forward.fails = there;
    net.reverse.fails = back;
    const std::string said = message(plain);
    CHECK(said.find("[matmul]") == 0);
    CHECK(said.find(there ? ", in Bidirectional.forward" : ", in Bidirectional.reverse") != said.npos);
    CHECK(message(tape) == said);
  }
  net.forward.fails = net.reverse.fails = false;
  CHECK(message(tape) == "");
  CHECK(parallel(tape));
  const Layout other = Layout::uniform(3, 41);
  CHECK_THROWS_WITH_AS(net({tape.constant(xs), &other}),
                       doctest::Contains("[scan] rows of shape [120, 24] came"), Error);
}

TEST_CASE("both directions at once: an exception on the way back clears the gradients, as ever") {
  struct Hooked {
    Gru cell;
    bool hooked;
    Var project(Var xs) const { return cell.project(xs); }
    Var step(nn::Projected x, Var h) const {
      const Var next = cell.step(std::move(x), h);
      if (hooked && h.tape().time_step() == 5)
        h.tape().on_gradient(next, [](const Tensor&) { throw std::runtime_error("enough"); });
      return next;
    }
    Var initial(Tape& tape, Index batch) const { return cell.initial(tape, batch); }
    void members(Members& m) { m("cell", cell); }
  };
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Hooked> net{{Gru(kIn, kHidden, g), false}, {Gru(kIn, kHidden, g), true}};
  const Layout layout = Layout::uniform(2, 40);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape tape;
  tape.use_threads(&thread_pool);
  Gradients gradients;
  const Var y = net({tape.constant(xs), &layout}).outputs.rows;
  CHECK(parallel(tape));
  CHECK_THROWS_WITH(tape.backward(ops::sum(y), gradients), "enough");
  CHECK_FALSE(gradients.any());
}

TEST_CASE("both directions at once: from the second pass on nothing is asked of the heap, trained or not") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Stack<Bidirectional<Lstm>> net;
  for (Index in : {kIn, 2 * kHidden}) net.layers.push_back({Lstm(in, kHidden, g), Lstm(in, kHidden, g)});
  const Layout layout(kRagged);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape tape;
  tape.use_threads(&thread_pool);
  Gradients gradients;
  for (int i = 0; i < 4; ++i) {
    const std::size_t before = allocation_count(), held = tape.memory();
    tape.clear();
    gradients.clear();
    tape.backward(ops::sum(net({tape.constant(xs), &layout}).outputs.rows), gradients);
    if (i > 0) {
      CHECK(allocation_count() == before);
      CHECK(tape.memory() == held);
    }
  }
  Tape silent;
  silent.use_threads(&thread_pool);
  const auto without = silent.no_gradient();
  for (int i = 0; i < 4; ++i) {
    const std::size_t before = allocation_count(), held = silent.memory();
    silent.clear();
    for (int k = 0; k < 3; ++k) (void)net({silent.constant(xs), &layout});
    if (i > 0) {
      CHECK(allocation_count() == before);
      CHECK(silent.memory() == held);
    }
  }
}

TEST_CASE("both directions at once: one thread pool for several tapes in turn, and dismissed") {
  Generator g(1);
  Bidirectional<Gru> net{Gru(kIn, kHidden, g), Gru(kIn, kHidden, g)};
  const Layout layout(kRagged);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  Tape one, two;
  std::optional<Run> first;
  {
    ThreadPool thread_pool(2);
    for (Tape* tape : {&one, &two, &one}) {
      tape->use_threads(&thread_pool);
      const Run now = run(net, layout, xs, *tape);
      CHECK(now.parallel);
      if (first) check_same(*first, now);
      first = now;
    }
    for (Tape* tape : {&one, &two}) tape->use_threads(nullptr);
  }
  CHECK_FALSE(run(net, layout, xs, one).parallel);
  ThreadPool alone(1);
  two.use_threads(&alone);
  CHECK_FALSE(run(net, layout, xs, two).parallel);
}

TEST_CASE("both directions at once: a thread pool may go before backward") {
  Generator g(1);
  Bidirectional<Gru> net{Gru(kIn, kHidden, g), Gru(kIn, kHidden, g)};
  const Layout layout = Layout::uniform(2, 30);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  auto gradient = [&](bool goes) {
    auto thread_pool = std::make_unique<ThreadPool>(2);
    Tape tape(f64);
    tape.use_threads(thread_pool.get());
    Gradients gradients;
    const Var x = tape.variable(xs), loss = ops::sum(square(net({x, &layout}).outputs.rows));
    CHECK(parallel(tape));
    if (goes) thread_pool.reset();
    CHECK((tape.thread_pool() == nullptr) == goes);
    tape.backward(loss, gradients);
    return tape.gradient(x).values();
  };
  CHECK(gradient(true) == gradient(false));
}

TEST_CASE("both directions at once: who watches sees one tape, and small work stays on one thread") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Gru> net{Gru(kIn, kHidden, g), Gru(kIn, kHidden, g)};
  const Layout layout(kRagged), small = Layout::uniform(1, 2);
  Tape tape;
  tape.use_threads(&thread_pool);
  {
    Observer watcher;
    const auto attached = tape.attach(watcher);
    CHECK_FALSE(run(net, layout, random_tensor({layout.rows(), kIn}, 7), tape).parallel);
  }
  CHECK_FALSE(run(net, small, random_tensor({2, kIn}, 7), tape).parallel);
  Tape dry(f32, autograd::Dry::yes);
  dry.use_threads(&thread_pool);
  (void)net({dry.zeros({layout.rows(), kIn}), &layout});
  CHECK_FALSE(parallel(dry));
}

TEST_CASE("both directions at once: the node can be pulled back through, before backward and after") {
  ThreadPool thread_pool(2);
  Generator g(1);
  Bidirectional<Gru> net{Gru(kIn, kHidden, g), Gru(kIn, kHidden, g)};
  randomise(net, 0.2);
  const Layout layout = Layout::uniform(2, 30);
  const Tensor xs = random_tensor({layout.rows(), kIn}, 7);
  auto pulled = [&](bool with_threads) {
    Tape tape(f64);
    tape.keep_values(true);
    if (with_threads) tape.use_threads(&thread_pool);
    Gradients gradients;
    const Var x = tape.variable(xs), y = net({x, &layout}).outputs.rows, loss = ops::sum(square(y));
    const auto end = static_cast<std::uint32_t>(tape.nodes().size());
    const Tensor seed = random_tensor(y.shape(), 9);
    auto pull = [&] { return tape.pull_back(0, end, {&y, 1}, {&seed, 1}, {&x, 1})[0]; };
    Run all{parallel(tape), {pull()}};
    tape.backward(loss, gradients);
    all.numbers.push_back(pull());
    all.numbers.push_back(tape.gradient(x));
    for (const NamedParameter& p : parameters(net)) all.numbers.push_back(gradients.dense(*p.parameter));
    return all;
  };
  const Run expected = pulled(false), got = pulled(true);
  CHECK(got.parallel);
  check_close(expected, got, 1e-12);
}
