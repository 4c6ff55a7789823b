// What a user's cell may do wrong is refused at its border, with its name; what it may be, works in every
// wrapper.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autograd/gradient_check.h"
#include "nn/nn.h"
#include "tests/message.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using unroll::tests::message;

namespace {

// A cell that keeps its contract, or breaks it in one of many ways.
struct Wayward {
  Parameter u{"u", {4, 4}};
  int how = 0;

  Var project(Var xs) const {
    switch (how) {
      case 1:
        return rows(xs, 0, xs.rows() - 1);
      case 2:
        return concat({xs, xs}, 0);
      case 3:
        return {};
      default:
        return xs;
    }
  }
  Var step(Projected x, Var h) const {
    const Var next = tanh(x.add(h, u));
    switch (how) {
      case 4:
        return sum(next, 0, Keep::yes);
      case 5:
        return concat({next, next}, 0);
      case 6:
        return reshape(next, {next.rows() * 2, 2});
      case 7:
        return columns(next, 0, 3);
      case 8:
        return {};
      default:
        return next;
    }
  }
  Var initial(Tape& tape, Index batch) const {
    switch (how) {
      case 9:
        return tape.zeros({1, 4});
      case 10:
        return tape.zeros({4});
      case 11:
        return tape.zeros({batch + 1, 4});
      case 12:
        return {};
      default:
        return tape.zeros({batch, 4});
    }
  }
  void members(Members& m) { m("u", u); }
};

// As many state Vars as three LSTM layers need, some inside of others.
struct Deep {
  struct Layer {
    Var h, c;
  };
  struct State {
    Var out;
    std::array<Layer, 2> layers;
    Layer top;
  };
  Lstm a, b, c;
  explicit Deep(Generator& g) : a(3, 4, g), b(4, 4, g), c(4, 4, g) {}
  Var project(Var xs) const { return xs; }
  State step(Projected x, State s) const {
    auto next = [](const Lstm& cell, Var in, Layer l) -> Layer {
      const auto n = cell.step(Projected(cell.project(in), false), {l.h, l.c});
      return {n.h, n.c};
    };
    State n;
    n.layers[0] = next(a, x.value(), s.layers[0]);
    n.layers[1] = next(b, n.layers[0].h, s.layers[1]);
    n.top = next(c, n.layers[1].h, s.top);
    n.out = n.top.h;
    return n;
  }
  State initial(Tape& tape, Index batch) const {
    const Var z = tape.zeros({batch, 4});
    return {z, {Layer{z, z}, Layer{z, z}}, {z, z}};
  }
  void members(Members& m) { m("a", a), m("b", b), m("c", c); }
};

// A matrix memory: C' = 0.9 C + v k', h = C q.
struct MatrixMemory {
  struct State {
    Var h, memory;  // [B, D], [B, D, D]
  };
  Linear input;
  Index d = 3;
  explicit MatrixMemory(Generator& g) : input(3, 9, g) {}
  Var project(Var xs) const { return input(xs); }
  State step(Projected x, State s) const {
    const auto [q, k, v] = ops::split<3>(x.value());
    const Index b = q.rows();
    auto repeated = [&](Var row) {
      return reshape(concat({row, row, row}, 1), {b, d, d});
    };  // [b, i, j] = row[j]
    const Var by_row = ops::transpose(repeated(v));
    const Var memory = s.memory * 0.9 + by_row * repeated(k);
    return {tanh(sum(memory * repeated(q), 2)), memory};
  }
  State initial(Tape& tape, Index batch) const { return {tape.zeros({batch, d}), tape.zeros({batch, d, d})}; }
  void members(Members& m) { m("input", input); }
};

struct Timed {
  Var project(Var xs) const { return xs * 1.0; }
  Var step(Projected x, Var h) const { return x.value() * (1.0 / (1 + h.tape().time_step())); }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, 2}); }
  void members(Members&) {}
};

// Attention over keys that the pass has: a side input.
struct Attending {
  Linear input;
  Parameter u;
  mutable Var keys{};
  bool declares = true;
  explicit Attending(Generator& g) : input(2, 4, g), u("u", {4, 4}) { initialise::normal(u, g, 0, 0.3); }
  Var project(Var xs) const { return input(xs); }
  Var step(Projected x, Var h) const {
    const Var weights = softmax(matmul(h, keys, Transpose::no, Transpose::yes));
    return tanh(x.add(h, u) + matmul(weights, keys));
  }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, 4}); }
  void side_inputs(SideInputs& s) const {
    if (declares) s(keys);
  }
  void members(Members& m) { m("input", input), m("u", u); }
};

template <class C>
void works_everywhere(C cell) {
  tests::randomise(cell);
  for (const std::vector<int>& lengths : {std::vector<int>{3, 3}, {2, 5, 1, 5}})
    for (const Order order : {Order::forward, Order::reverse}) {
      const Layout layout{std::span<const int>(lengths)};
      const Tensor x = tests::random_tensor({layout.rows(), 3}, 3);
      auto loss = [](const auto& s) {
        Var sum = ops::sum(square(s.outputs.rows));
        for (const Var v : nn::vars(s.last)) sum = sum + ops::sum(v);
        return sum;
      };
      const auto check = check_gradient(
          [&](Tape& tape) {
            return loss(scan(cell, {tape.constant(x), &layout}, order));
          },
          parameters(cell));
      CHECK_MESSAGE(check.error < 1e-5, check.where);
      Tape tape(f64), silent_tape(f64);
      const double truth = loss(scan(cell, {tape.constant(x), &layout}, order)).item();
      CHECK(loss(scan_recomputed(cell, {tape.constant(x), &layout}, 2, order)).item() ==
            doctest::Approx(truth).epsilon(1e-12));
      const auto silent = silent_tape.no_gradient();
      CHECK(loss(scan(cell, {silent_tape.constant(x), &layout}, order)).item() ==
            doctest::Approx(truth).epsilon(1e-12));
    }
  Stepper stepper(cell, 3, {.batch = 2, .dtype = f64});
  CHECK(stepper.state().size() == nn::field_count<nn::StateOf<C>>);
}

}  // namespace

TEST_CASE("a cell that breaks its contract is named, with what it gave and what was needed") {
  const char* expected[] = {"",
                            "Wayward::project gave [",
                            "Wayward::project gave [",
                            "Wayward::project gave an empty Var",
                            "Wayward::step at time step 0 gave [1, 4]; needed [2, 4]",
                            "Wayward::step at time step 0 gave [4, 4]; needed [2, 4]",
                            "Wayward::step at time step 0 gave [4, 2]; needed [2, 4]",
                            "Wayward::step at time step 0 gave [2, 3]; needed [2, 4]",
                            "Wayward::step at time step 0 gave an empty Var; needed [2, 4]",
                            "Wayward::initial gave [1, 4]; needed 2 rows",
                            "Wayward::initial gave [4]; needed 2 rows",
                            "Wayward::initial gave [3, 4]; needed 2 rows",
                            "Wayward::initial gave an empty Var; needed 2 rows"};
  for (const std::vector<int>& lengths : {std::vector<int>{2, 2}, {3, 2}})
    for (int how = 0; how <= 12; ++how) {
      CAPTURE(how);
      const Wayward cell{.how = how};
      const Layout layout{std::span<const int>(lengths)};
      auto run = [&](bool silent, bool recomputed) {
        return message([&] {
          Tape tape;
          std::optional<Tape::Scope> off;
          if (silent) off.emplace(tape.context().silent, 1);
          const PackedSequence xs{tape.full({layout.rows(), 4}, 1), &layout};
          (void)(recomputed ? scan_recomputed(cell, xs, 2) : scan(cell, xs));
        });
      };
      for (const std::string& said : {run(false, false), run(true, false), run(false, true)}) {
        if (how == 0)
          CHECK(said.empty());
        else
          CHECK_MESSAGE(said.find(expected[how]) != std::string::npos, said);
      }
      if (how > 0) CHECK_FALSE(message([&] { Stepper(cell, 4, {.batch = 2}); }).empty());
    }
}

TEST_CASE("a state of any number of Vars, nested, of any rank, in every wrapper") {
  static_assert(nn::field_count<Deep::State> == 7);
  Generator g(1);
  works_everywhere(Deep(g));
  works_everywhere(MatrixMemory(g));
}

TEST_CASE("a cell that asks for the time step cannot be a stream") {
  CHECK(message([] { Stepper(Timed(), 2); }).starts_with("[stepper] the net asks for the time step"));
}

TEST_CASE("side inputs reach a cell wherever it runs, and get their gradients") {
  Generator g(3);
  Attending a(g), b(g);
  const Layout layout = Layout::uniform(1, 400);
  const Tensor xs = tests::random_tensor({400, 2}, 4).to(f32), keys = tests::random_tensor({5, 4}, 5).to(f32);
  auto gradients_of = [&](int threads, Index segment) {
    ThreadPool pool(threads);
    Tape tape;
    Gradients gradients;
    tape.use_threads(&pool);
    const Var side = a.keys = b.keys = tape.variable(keys);
    const PackedSequence in{tape.constant(xs), &layout};
    const Var out =
        segment > 0 ? scan_recomputed(a, in, segment).outputs.rows : scan_both(a, b, in).outputs.rows;
    tape.backward(ops::sum(square(out)), gradients);
    CHECK(a.keys == side);  // the cell has its own handle back
    std::vector<double> all = tape.gradient(a.keys).values();
    all.push_back(ops::sum(out).item());
    return all;
  };
  const auto one = gradients_of(1, 0), two = gradients_of(2, 0);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(two[i] == doctest::Approx(one[i]).epsilon(1e-4));
  const auto whole = gradients_of(1, 400), parts = gradients_of(1, 20);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i] == doctest::Approx(whole[i]).epsilon(1e-4));
  a.declares = b.declares = false;
  CHECK(message([&] { (void)gradients_of(2, 0); }).find("list it in side_inputs()") != std::string::npos);
}

TEST_CASE("stacks take first states of all layers, with gradients, and give the last ones") {
  Generator g(2);
  Stack<Unidirectional<Lstm>> encoder, decoder;
  for (auto* stack : {&encoder, &decoder})
    for (int i = 0; i < 2; ++i) stack->layers.push_back({Lstm(i == 0 ? 3 : 4, 4, g)});
  tests::randomise(encoder), tests::randomise(decoder);
  const Layout from(std::array{3, 5, 2}), to(std::array{2, 4, 1});
  const Tensor x = tests::random_tensor({from.rows(), 3}, 1), y = tests::random_tensor({to.rows(), 3}, 2);
  const auto check = check_gradient(
      [&](Tape& tape) {
        const auto read = encoder.with_states({tape.constant(x), &from});
        const auto said = decoder.with_states({tape.constant(y), &to}, read.last);
        return ops::sum(square(said.outputs.rows)) + ops::sum(said.last[1].c);
      },
      parameters(encoder));
  CHECK_MESSAGE(check.error < 1e-5, check.where);
  Tape tape(f64);
  const auto read = encoder.with_states({tape.constant(x), &from});
  CHECK(read.last.size() == 2);
  CHECK(message([&] {
          (void)decoder.with_states({tape.constant(y), &to}, {read.last[0]});
        }).starts_with("[stack] 1 states came for 2 layers; needed one for each, or none"));

  Stack<Bidirectional<Gru>> both;
  both.layers.push_back({Gru(3, 4, g), Gru(3, 4, g)});
  both.layers.push_back({Gru(8, 4, g), Gru(8, 4, g)});
  convert(both, f64);
  const auto there = both.with_states({tape.constant(x), &from});
  const auto again = both.with_states({tape.constant(x), &from}, there.last);
  CHECK(again.last[1].reverse.shape() == Shape{3, 4});
  CHECK(again.outputs.rows.tensor().values() != there.outputs.rows.tensor().values());
}

TEST_CASE("the states of all steps: an LSTM's c") {
  Generator g(2);
  const Lstm cell(3, 4, g);
  const Layout layout(std::array{2, 4});
  Tape tape;
  const Var x = tape.constant(tests::random_tensor({6, 3}, 1));
  const auto s = scan_states(cell, {x, &layout});
  CHECK(s.states.c.shape() == Shape{6, 4});
  CHECK(s.states.h.tensor().values() == s.outputs.rows.tensor().values());
  // The longer sequence's last state is the last row.
  CHECK(tape.rows(s.states.c, 5, 1).tensor().values() == tape.rows(s.last.c, 1, 1).tensor().values());
}

TEST_CASE("a stack hands noise down to its cells, and takes it away") {
  struct NoisyGru {
    Gru gru;
    Var project(Var xs) const { return gru.project(xs); }
    Var step(Projected x, Var h, const Noise& noise) const {
      return noise.dropout(gru.step(std::move(x), h), 0.4);
    }
    Var initial(Tape& tape, Index batch) const { return gru.initial(tape, batch); }
    void members(Members& m) { m(gru); }
  };
  Generator g(2);
  Stack<Unidirectional<NoisyGru>> stack;
  for (int i = 0; i < 2; ++i) stack.layers.push_back({{Gru(i == 0 ? 3 : 4, 4, g)}});
  const Layout layout = Layout::uniform(2, 5);
  Tape tape;
  const Var x = tape.constant(tests::random_tensor({10, 3}, 1));
  auto values = [&](Generator* noise) { return stack({x, &layout}, noise).outputs.rows.tensor().values(); };
  Generator a(1), b(1), c(2);
  const auto first = values(&a);
  CHECK(first == values(&b));
  CHECK(first != values(&c));
  CHECK(first != values(&a));  // the next pass draws anew
  CHECK(values(nullptr) == values(nullptr));
  for (Unidirectional<NoisyGru>& layer : stack.layers) layer.recompute = 2;
  b = Generator(1);
  CHECK(values(&b) == first);
  CHECK(message([&] { (void)Noise().generator(0); }).starts_with("[noise] a generator was asked for"));
}
