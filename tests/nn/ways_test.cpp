// A net is a function: whatever way it is run gives the same values, and gradients equal to differences.
// Random cells with 1 to 6 Vars of state, views, shared parameters, side inputs, noise and resets, over
// ragged batches: recorded, without gradients, recomputed, both directions at once on 1 to 3 threads, as a
// stream, step by step by hand, and split where the state is reset.
//
//   UNROLL_CASES=10000 tests -tc='*whatever way*'      the long form
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "autograd/gradient_check.h"
#include "autograd/system/thread_pool.h"
#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;

namespace {

// What is drawn for a case.
struct Choice {
  int activation, mix;
  bool has_side, has_noise, hands_on, views, shares;
};

template <std::size_t N>
struct RandomCell {
  struct State {
    Var h;
    std::array<Var, N - 1> others;
  };
  Parameter weight_ih, weight_hh;
  Choice choice;
  mutable Var side{};  // [B, H] in the order of ranks

  RandomCell(Index in, Index hidden, const Choice& c, Generator& g)
      : weight_ih("weight_ih", {in, hidden}, f64), weight_hh("weight_hh", {hidden, hidden}, f64), choice(c) {
    initialise::normal(weight_ih, g, 0, 0.5);
    initialise::normal(weight_hh, g, 0, 0.5);
  }
  Var project(Var xs) const {
    return choice.views ? rows(matmul(xs, weight_ih), 0, xs.rows()) : matmul(xs, weight_ih);
  }
  Var activate(Var x) const {
    return choice.activation == 0 ? tanh(x) : choice.activation == 1 ? sigmoid(x) : ops::softplus(x);
  }
  State step(Projected x, State s, const Noise& noise) const {
    Var sum = x.add(s.h, weight_hh);
    if (choice.has_side && side.defined()) sum = sum + rows(side, 0, s.h.rows());
    Var h = activate(sum);
    if (choice.has_noise) h = noise.gaussian(noise.dropout(h, 0.3), 0.1, 1);
    if (choice.shares) h = h + 0.1 * matmul(tanh(h), weight_hh);
    State next{h, {}};
    for (std::size_t i = 0; i + 1 < N; ++i) {
      const Var before = s.others[i], from = i == 0 ? h : s.others[i - 1];
      next.others[i] = choice.hands_on && i % 2 == 1 ? from : before * 0.7 + from * 0.3;
    }
    if constexpr (N > 1)
      if (choice.mix == 1) next.h = next.h + 0.2 * next.others[N - 2];
    return next;
  }
  State initial(Tape& tape, Index batch) const {
    State s;
    s.h = tape.zeros({batch, weight_hh.shape()[0]});
    for (Var& v : s.others) v = tape.full({batch, weight_hh.shape()[0]}, 0.1);
    return s;
  }
  void side_inputs(SideInputs& s) const { s(side); }
  void members(Members& m) { m("weight_ih", weight_ih), m("weight_hh", weight_hh); }
};

struct Case {
  Choice choice;
  Index in, hidden;
  std::vector<int> lengths;
  std::vector<std::uint8_t> resets;
  Order order;
  std::uint64_t noise;  // 0: evaluation
  Index segment;
  int threads;

  explicit Case(Generator& g) {
    auto flip = [&] { return g.below(2) == 1; };
    choice = {
        static_cast<int>(g.below(3)), static_cast<int>(g.below(2)), flip(), flip(), flip(), flip(), flip()};
    in = 1 + static_cast<Index>(g.below(4));
    hidden = 1 + static_cast<Index>(g.below(6));
    for (std::size_t b = 1 + g.below(4); b > 0; --b) lengths.push_back(1 + static_cast<int>(g.below(7)));
    if (flip()) lengths.assign(lengths.size(), lengths[0]);
    order = flip() ? Order::forward : Order::reverse;
    noise = flip() ? g.next() | 1 : 0;
    segment = 1 + static_cast<Index>(g.below(4));
    threads = 1 + static_cast<int>(g.below(3));
    if (flip())
      for (int n = 0, all = static_cast<int>(Layout(lengths).rows()); n < all; ++n)
        resets.push_back(g.below(4) == 0);
  }
};

struct Result {
  std::vector<double> values;                  // of outputs and last states
  std::vector<std::vector<double>> gradients;  // of parameters, inputs, side input
};

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

void append(std::vector<double>& to, Var v) {
  for (const double x : v.tensor().values()) to.push_back(x);
}

// Runs `net(tape, xs)`, which gives what to look at, in one way.
template <std::size_t N, class Net>
Result run(RandomCell<N>& cell, const Case& c, bool gradients, ThreadPool* threads, const Net& net) {
  const Layout layout{std::span<const int>(c.lengths)};
  Tape tape(f64);
  tape.poison(true);
  tape.use_threads(threads);
  std::optional<Tape::Scope> silent;
  if (!gradients) silent.emplace(tape.context().silent, 1);
  std::optional<Training> training;
  if (c.noise != 0) training.emplace(tape, c.noise);
  const Var rows = tape.variable(tests::random_tensor({layout.rows(), c.in}, 11));
  const Var side = tape.variable(tests::random_tensor({layout.batch(), c.hidden}, 12));
  cell.side = c.choice.has_side ? side : Var();
  Result result;
  Var loss;
  for (const Var v : net(tape, PackedSequence{rows, &layout, c.resets})) {
    append(result.values, v);
    const Var term = ops::sum(v * tape.constant(tests::random_tensor(v.shape(), 13)));
    loss = loss.defined() ? loss + term : term;
  }
  if (!gradients) return result;
  Gradients sums;
  tape.backward(loss, sums);
  for (const Parameter* p : {&cell.weight_ih, &cell.weight_hh})
    result.gradients.push_back(sums.find(*p) ? sums.dense(*p).values() : std::vector<double>());
  result.gradients.push_back(tape.gradient(rows).values());
  result.gradients.push_back(tape.gradient(side).values());
  return result;
}

template <class Scanned>
std::vector<Var> seen(const Scanned& s) {
  std::vector<Var> all{s.outputs.rows};
  for (const Var v : nn::vars(s.last)) all.push_back(v);
  return all;
}

template <std::size_t N>
void check(const Case& c, Generator& g) {
  RandomCell<N> cell(c.in, c.hidden, c.choice, g);
  const auto plain = [&](Tape&, const PackedSequence& xs) { return seen(scan(cell, xs, c.order)); };
  const Result recorded = run(cell, c, true, nullptr, plain);
  auto expect_same = [&](const char* way, const Result& other, double most) {
    CAPTURE(way);
    CHECK(distance(other.values, recorded.values) <= most);
    for (std::size_t i = 0; i < other.gradients.size(); ++i) {
      CAPTURE(i);
      CHECK(distance(other.gradients[i], recorded.gradients[i]) <= 1e-11);
    }
  };
  expect_same("again", run(cell, c, true, nullptr, plain), 0);
  expect_same("without gradients", run(cell, c, false, nullptr, plain), 1e-14);
  expect_same("recomputed",
              run(cell, c, true, nullptr,
                  [&](Tape&, const PackedSequence& xs) {
                    return seen(scan_recomputed(cell, xs, c.segment, c.order));
                  }),
              1e-14);
  expect_same("all states",
              run(cell, c, true, nullptr,
                  [&](Tape&, const PackedSequence& xs) { return seen(scan_states(cell, xs, c.order)); }),
              0);

  // Both directions at once are those of one after the other; the threads do not matter.
  RandomCell<N> other(c.in, c.hidden, c.choice, g);
  auto both = [&](ThreadPool* threads, bool watched) {
    struct Watcher : Observer {
    } watcher;
    return run(cell, c, true, threads, [&](Tape& tape, const PackedSequence& xs) {
      std::optional<autograd::Attachment> attached;
      if (watched) attached.emplace(tape, watcher);
      const auto s = scan_both(cell, other, xs);
      std::vector<Var> all{s.outputs.rows};
      for (const Var v : nn::vars(s.last())) all.push_back(v);
      return all;
    });
  };
  other.side = Var();
  ThreadPool threads(c.threads);
  const Result in_turn = both(nullptr, false), at_once = both(&threads, false);
  CHECK(distance(in_turn.values, at_once.values) <= 1e-14);
  for (std::size_t i = 0; i < in_turn.gradients.size(); ++i)
    CHECK(distance(in_turn.gradients[i], at_once.gradients[i]) <= 1e-11);

  // Differences, in one random direction of all parameters.
  cell.side = Var();
  if (!c.choice.has_side) {
    const Layout layout{std::span<const int>(c.lengths)};
    const Tensor rows = tests::random_tensor({layout.rows(), c.in}, 11);
    const auto difference = check_projection(
        [&](Tape& tape) {
          std::optional<Training> training;
          if (c.noise != 0) training.emplace(tape, c.noise);
          Var loss;
          for (const Var v :
               seen(scan(cell, PackedSequence{tape.constant(rows), &layout, c.resets}, c.order)))
            loss = loss.defined() ? loss + ops::sum(square(v)) : ops::sum(square(v));
          return loss;
        },
        parameters(cell));
    CHECK_MESSAGE(difference.error < 1e-5, difference.where);
  }

  // A stream, and a loop by hand, for what a stream may have.
  if (c.order == Order::forward && c.resets.empty() && c.noise == 0 && !c.choice.has_side) {
    const Layout layout{std::span<const int>(c.lengths)};
    const Index batch = layout.batch(),
                steps = layout.length(layout.sequences()[static_cast<std::size_t>(batch) - 1]);
    const Tensor rows = tests::random_tensor({layout.rows(), c.in}, 11);
    Tape tape(f64);
    const Tensor outputs = scan(cell, PackedSequence{tape.constant(rows), &layout}).outputs.rows.tensor();
    Stepper stepper(cell, c.in, {.batch = batch, .dtype = f64});
    for (Index t = 0; t < steps; ++t) {
      const auto y = stepper.step<double>(rows.span<double>().subspan(
          static_cast<std::size_t>(layout.offset(t) * c.in), static_cast<std::size_t>(batch * c.in)));
      double most = 0;
      for (Index i = 0; i < batch * c.hidden; ++i)
        most = std::max(
            most, std::abs(y[static_cast<std::size_t>(i)] - outputs.at(layout.offset(t) * c.hidden + i)));
      CHECK(most <= 1e-13);
    }
  }
}

int cases() {
  const char* text = std::getenv("UNROLL_CASES");
  return text ? std::atoi(text) : 300;
}

}  // namespace

TEST_CASE("whatever way a net is run, it gives the same values and gradients") {
  Generator g(2026);
  for (int i = 0; i < cases(); ++i) {
    CAPTURE(i);
    const Case c(g);
    switch (g.below(4)) {
      case 0:
        check<1>(c, g);
        break;
      case 1:
        check<2>(c, g);
        break;
      case 2:
        check<3>(c, g);
        break;
      default:
        check<6>(c, g);
    }
  }
}

// To the bit, as sequences are rows of the same products.
TEST_CASE("a reset inside a sequence is the beginning of another") {
  Generator g(5);
  for (const Order order : {Order::forward, Order::reverse})
    for (int round = 0; round < 20; ++round) {
      const Lstm cell(3, 8, g);
      // One sequence of three episodes, against three sequences.
      std::vector<int> episodes;
      for (int e = 0; e < 3; ++e) episodes.push_back(1 + static_cast<int>(g.below(5)));
      const int steps = episodes[0] + episodes[1] + episodes[2];
      const Layout whole = Layout::uniform(1, steps);
      std::vector<std::uint8_t> resets(static_cast<std::size_t>(steps));
      resets[static_cast<std::size_t>(episodes[0])] =
          resets[static_cast<std::size_t>(episodes[0] + episodes[1])] = 1;
      const Tensor rows = tests::random_tensor({steps, 3}, 6).to(f32);
      Tape tape;
      const Tensor a = scan(cell, {tape.constant(rows), &whole, resets}, order).outputs.rows.tensor();
      for (int e = 0, begin = 0; e < 3; begin += episodes[static_cast<std::size_t>(e++)]) {
        const Layout one = Layout::uniform(1, episodes[static_cast<std::size_t>(e)]);
        const Var part = tape.rows(tape.constant(rows), begin, one.rows());
        const Tensor b = scan(cell, {part, &one}, order).outputs.rows.tensor();
        for (Index i = 0; i < b.size(); ++i) CHECK(a.at(begin * 8 + i) == b.at(i));
      }
    }
}
