#include "autograd/inspect/watch/flow.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "nn/nn.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::Flow;
using inspect::Recurrence;
using inspect::Summary;

namespace {

// A linear Elman net, whose state is h_t = x_t + h_(t-1) W.
Elman linear_elman(Index hidden) {
  Generator generator(1);
  Elman cell(hidden, hidden, generator, [](Var x, SourceLocation) { return 1.0 * x; });
  tests::randomise(cell, 0.4);
  for (Index i = 0; i < hidden; ++i) {
    cell.bias.value().set(i, 0);
    for (Index j = 0; j < hidden; ++j) cell.weight_ih.value().set(i * hidden + j, i == j);
  }
  return cell;
}

using Rows = std::vector<std::vector<double>>;

std::vector<double> times(const std::vector<double>& row, const Tensor& w, bool transposed) {
  const std::size_t n = row.size();
  std::vector<double> product(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      product[j] += row[i] * w.at(static_cast<Index>(transposed ? j * n + i : i * n + j));
  return product;
}

void check(const Summary& s, const Rows& rows) {
  double squares = 0, absolute = 0, largest = 0;
  int count = 0;
  for (const auto& row : rows)
    for (const double x : row) {
      squares += x * x;
      absolute += std::abs(x);
      largest = std::max(largest, std::abs(x));
      ++count;
    }
  auto near = [](double a, double b) { CHECK(std::abs(a - b) <= 1e-10 * std::max(1.0, std::abs(b))); };
  near(s.norm, std::sqrt(squares));
  near(s.mean, absolute / count);
  near(s.largest, largest);
  CHECK(s.zeros == 0);
}

// What the flow of sum over all sequences and steps of (h_t, seed_t) is to be: with the seed of every state,
// dL/dh_t = seed_t + dL/dh_(t+1) W'.
void check_against_the_truth(Order order, const std::vector<int>& lengths, Index recompute) {
  constexpr Index kHidden = 5;
  const Elman cell = linear_elman(kHidden);
  const Layout layout(lengths);
  const Tensor xs = tests::random_tensor({layout.rows(), kHidden}, 2);
  const Tensor seed = tests::random_tensor({layout.rows(), kHidden}, 3);

  Tape tape(f64);
  Gradients gradients;
  Flow flow;
  const auto attached = tape.attach(flow);
  const PackedSequence in{tape.constant(xs), &layout};
  const Var out =
      (recompute > 0 ? scan_recomputed(cell, in, recompute, order) : scan(cell, in, order)).outputs.rows;
  tape.backward(out, seed, gradients);

  REQUIRE(flow.recurrences().size() == 1);
  const Recurrence& r = flow.recurrences()[0];
  CHECK(r.reverse == (order == Order::reverse));
  REQUIRE(static_cast<Index>(r.rows.size()) == layout.steps());
  std::vector<Rows> states(r.rows.size()), slopes(r.rows.size());
  auto row = [](const Tensor& t, Index r) {
    std::vector<double> numbers;
    for (Index j = 0; j < kHidden; ++j) numbers.push_back(t.at(r * kHidden + j));
    return numbers;
  };
  for (Index b = 0; b < layout.batch(); ++b) {
    const Index length = layout.length(b);
    std::vector<double> h(kHidden), d(kHidden);
    for (Index s = 0; s < length; ++s) {
      const Index t = order == Order::forward ? s : length - 1 - s;
      h = times(h, cell.weight_hh.value(), false);
      const auto x = row(xs, layout.row(b, t));
      for (std::size_t j = 0; j < h.size(); ++j) h[j] += x[j];
      states[static_cast<std::size_t>(t)].push_back(h);
    }
    for (Index s = length; s-- > 0;) {
      const Index t = order == Order::forward ? s : length - 1 - s;
      d = times(d, cell.weight_hh.value(), true);
      const auto x = row(seed, layout.row(b, t));
      for (std::size_t j = 0; j < d.size(); ++j) d[j] += x[j];
      slopes[static_cast<std::size_t>(t)].push_back(d);
    }
  }
  for (std::size_t t = 0; t < states.size(); ++t) {
    INFO("step " << t);
    CHECK(r.rows[t] == layout.batch_size(static_cast<Index>(t)));
    check(r.fields[0].state[t], states[t]);
    check(r.fields[0].gradient[t], slopes[t]);
  }
}

// Keeps the gradient of every state as any user can: what the tape says of it in the end is the truth.
struct StateKeeper : Observer {
  std::vector<std::vector<Var>> states;
  void state(Tape& tape, std::span<const Var> fields) override {
    for (const Var field : fields) tape.keep_gradient(field);
    states.emplace_back(fields.begin(), fields.end());
  }
};

Var mean_of_squares(Var x) { return ops::mean(square(x)); }

}  // namespace

TEST_CASE("the flow of a linear Elman net is that of its formula") {
  for (const Order order : {Order::forward, Order::reverse})
    for (const auto& lengths : {std::vector<int>{7, 7, 7}, std::vector<int>{3, 9, 1, 4}, std::vector<int>{1}})
      for (const Index recompute : {0, 2, 4}) {
        INFO("lengths " << lengths.size() << ", reverse " << (order == Order::reverse) << ", segments "
                        << recompute);
        check_against_the_truth(order, lengths, recompute);
      }
}

TEST_CASE("both fields of an LSTM are met, with a projection and without") {
  for (const Index projection : {0, 2}) {
    Generator generator(1);
    Lstm cell(3, 4, generator, {.projection = projection});
    tests::randomise(cell);
    const Layout layout(std::vector<int>{5, 2});
    const Tensor xs = tests::random_tensor({layout.rows(), 3}, 1);
    Tape tape(f64);
    Gradients gradients;
    Flow flow;
    StateKeeper truth;
    const auto attached = tape.attach(flow);
    const auto also = tape.attach(truth);
    const auto last = scan(cell, {tape.constant(xs), &layout}).last;
    tape.backward(mean_of_squares(last.h) + mean_of_squares(last.c), gradients);
    const Recurrence& r = flow.recurrences().at(0);
    REQUIRE(r.fields.size() == 2);
    // At its last step, a sequence's state has the loss alone after it: dL/dh = 2 h / n.
    const double h = r.fields[0].gradient[4].norm / r.fields[0].state[4].norm;
    CHECK(h == doctest::Approx(2.0 / static_cast<double>(last.h.shape().size())));
    CHECK(r.fields[1].gradient[4].norm / r.fields[1].state[4].norm ==
          doctest::Approx(2.0 / static_cast<double>(last.c.shape().size())));
    REQUIRE(truth.states.size() == 5);
    for (std::size_t t = 0; t < 5; ++t)
      for (std::size_t f = 0; f < 2; ++f) {
        INFO("step " << t << ", field " << f);
        const Var state = truth.states[t][f];
        const Summary of_state = inspect::summary_of(state.tensor());
        const Summary of_gradient = inspect::summary_of(tape.gradient(state));
        CHECK(r.fields[f].state[t] == of_state);
        CHECK(of_gradient.norm > 0);
        CHECK(r.fields[f].gradient[t].norm == doctest::Approx(of_gradient.norm).epsilon(1e-12));
        CHECK(r.fields[f].gradient[t].largest == of_gradient.largest);
      }
  }
}

TEST_CASE("nets on one tape are told apart, and what is not reached is zero") {
  Generator generator(1);
  const Bidirectional<Gru> both{Gru(3, 4, generator), Gru(3, 4, generator)};
  const Gru other(3, 4, generator);
  const Layout layout(std::vector<int>{4, 6});
  Tape tape;
  Gradients gradients;
  Flow flow;
  const auto attached = tape.attach(flow);
  const PackedSequence xs{tape.full({10, 3}, 0.5), &layout};
  const auto sides = both(xs);
  (void)scan(other, xs);                                           // in no loss
  const Var twice = scan(other, xs, Order::forward).outputs.rows;  // the same cell again
  const Var early = tape.rows(twice, 0, layout.offset(3));         // the first three steps
  tape.backward(ops::sum(sides.last_reverse) + ops::sum(early), gradients);
  const auto& all = flow.recurrences();
  REQUIRE(all.size() == 4);
  CHECK(all[0].path == "Bidirectional.forward");
  CHECK(all[1].path == "Bidirectional.reverse");
  CHECK(all[2].path == "Gru");
  CHECK(all[1].reverse);
  for (std::size_t t = 0; t < 6; ++t) {
    CHECK(all[0].fields[0].gradient[t] == Summary{});
    CHECK(all[0].fields[0].state[t].norm > 0);
    CHECK(all[1].fields[0].gradient[t].norm > 0);
    CHECK(all[2].fields[0].gradient[t] == Summary{});
    CHECK((all[3].fields[0].gradient[t].norm > 0) == (t < 3));
  }
}

TEST_CASE("layers are told by their paths, recomputed or not") {
  Generator generator(1);
  for (const Index recompute : {0, 2}) {
    Stack<Unidirectional<Lstm>> stack;
    for (const Index in : {3, 4, 4})
      stack.layers.push_back({Lstm(in, 4, generator), Order::forward, recompute});
    const Layout layout(std::vector<int>{4, 6});
    Tape tape;
    Gradients gradients;
    Flow flow;
    const auto attached = tape.attach(flow);
    tape.backward(ops::sum(stack({tape.full({10, 3}, 0.5), &layout}).outputs.rows), gradients);
    REQUIRE(flow.recurrences().size() == 3);
    for (const Recurrence& r : flow.recurrences()) {
      CHECK(r.type == "Lstm");
      CHECK(r.path == "Stack.layers." + std::to_string(r.layer) + ".cell");
    }
    CHECK(flow.recurrences()[recompute ? 0 : 2].layer == 2);  // recomputed in backward
  }
}

TEST_CASE("shares of zeros and NaN are seen") {
  Generator generator(1);
  Elman cell(2, 8, generator, ops::relu);
  const Layout layout = Layout::uniform(1, 1);
  Tape tape;
  Gradients gradients;
  Flow flow;
  const auto attached = tape.attach(flow);
  const Var h = scan(cell, {tape.full({1, 2}, 1), &layout}).outputs.rows;
  tape.backward(ops::sum(tape.columns(h, 0, 6) * std::nan("")), gradients);
  const auto& field = flow.recurrences().at(0).fields[0];
  CHECK(std::isnan(field.gradient[0].norm));
  CHECK(std::isnan(field.gradient[0].largest));
  CHECK(field.gradient[0].zeros == 0.25);
  int zeros = 0;
  for (const double x : h.tensor().values()) zeros += x == 0;
  CHECK(field.state[0].zeros == zeros / 8.0);
}

TEST_CASE("passes without gradients are not recorded, a second pass is one more") {
  Generator generator(1);
  const Elman cell(2, 3, generator);
  const Layout layout = Layout::uniform(2, 4);
  Tape tape;
  Gradients gradients;
  Flow flow;
  const auto attached = tape.attach(flow);
  {
    const auto silent = tape.no_gradient();
    (void)scan(cell, {tape.full({8, 2}, 1), &layout});
  }
  CHECK(flow.recurrences().empty());
  for (int pass = 0; pass < 2; ++pass) {
    tape.clear();
    tape.backward(ops::sum(scan(cell, {tape.full({8, 2}, 1), &layout}).outputs.rows), gradients);
  }
  REQUIRE(flow.recurrences().size() == 2);
  CHECK(flow.recurrences()[0].fields[0].gradient == flow.recurrences()[1].fields[0].gradient);
  flow.clear();
  CHECK(flow.recurrences().empty());
}

TEST_CASE("the flow as JSON: an entry for each field") {
  Generator generator(1);
  const Lstm cell(2, 3, generator);
  const Layout layout(std::vector<int>{3, 2});
  Tape tape;
  Gradients gradients;
  Flow flow;
  const auto attached = tape.attach(flow);
  tape.backward(ops::sum(scan(cell, {tape.full({5, 2}, 1), &layout}).outputs.rows), gradients);
  const nlohmann::json json = flow;
  REQUIRE(json.size() == 2);
  const auto& c = flow.recurrences()[0].fields[1];
  CHECK(json[1]["field"] == 1);
  CHECK(json[1]["direction"] == "forward");
  CHECK(json[1]["rows"] == nlohmann::json({2, 2, 1}));
  CHECK(json[1]["norm"][2] == c.gradient[2].norm);
  CHECK(json[1]["state_largest"][0] == c.state[0].largest);
}
