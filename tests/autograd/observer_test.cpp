#include "autograd/observer.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "nn/nn.h"

using namespace unroll;
using autograd::Phase;

namespace {

// An op that does something in the middle, and may throw.
struct Doing {
  static constexpr const char* name = "doing";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  std::function<void()>* what;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    context.out().data[0] = context.in(0).data[0];
    (*what)();
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    context.add_to(0).data[0] += context.d_out().data[0];
  }
};

// Counts the nodes at work; asks for a derivative whenever one begins in backward.
struct Curious : Observer {
  int open = 0, ended = 0, abandoned_ = 0, asked = 0;

  void begin(Tape& tape, std::uint32_t node, Phase phase) override {
    ++open;
    if (phase != Phase::backward) return;
    const autograd::Node& n = tape.nodes()[node];
    const Var in = vars[n.inputs[0]], out = vars[n.first_output];
    const Tensor seed = ones(out.shape());
    CHECK(tape.pull_back(node, node + 1, {&out, 1}, {&seed, 1}, {&in, 1})[0].at(0) == 1);
    ++asked;
  }
  void end(Tape&, std::uint32_t, Phase) override { --open, ++ended; }
  void abandoned(Tape&, std::uint32_t, Phase) override { --open, ++abandoned_; }

  std::map<std::uint32_t, Var> vars;

 private:
  static Tensor ones(const Shape& shape) {
    Tensor t(shape);
    t.fill(1);
    return t;
  }
};

// Writes down what it is told: "f lstm", "b lstm", "d matmul", "state 3".
struct Diary : Observer {
  std::vector<std::string> lines;
  std::map<const Tape*, int> open;  // a node of an inner tape runs within the one that recomputes

  void begin(Tape& tape, std::uint32_t node, Phase phase) override {
    REQUIRE(open[&tape]++ == 0);
    const autograd::Node& n = tape.nodes()[node];
    const char* prefix = phase == Phase::forward ? "f " : phase == Phase::backward ? "b " : "d ";
    lines.push_back(prefix + std::string(n.table->name(n.op)));
  }
  void end(Tape& tape, std::uint32_t, Phase) override { REQUIRE(--open[&tape] == 0); }
  void state(Tape&, std::span<const Var> fields) override {
    lines.push_back("state of " + std::to_string(fields.size()));
  }
  int count(const std::string& line) const { return static_cast<int>(std::ranges::count(lines, line)); }
};

}  // namespace

TEST_CASE("an observer is told of every node, both ways, and of states") {
  Generator random(1);
  const Lstm lstm(3, 4, random);
  const Layout layout = Layout::uniform(2, 5);
  Tape tape;
  Gradients gradients;
  Diary diary;
  {
    const auto attached = tape.attach(diary);
    const Var out = scan(lstm, {tape.full({10, 3}, 0.5), &layout}).outputs.rows;
    tape.backward(sum(out), gradients);
  }
  CHECK(diary.count("f lstm") == 5);
  CHECK(diary.count("b lstm") == 5);
  CHECK(diary.count("state of 2") == 5);
  int products = 0;
  for (const std::string& line : diary.lines) products += line.starts_with("d ");
  CHECK(products == 2);  // weight_ih and weight_hh, each once for all steps
  CHECK(diary.open[&tape] == 0);

  const std::size_t before = diary.lines.size();
  (void)tape.full({1}, 1);
  (void)exp(tape.full({1}, 1));
  CHECK(diary.lines.size() == before);  // it is no longer attached
}

TEST_CASE("an observer sees passes without gradients and recomputed segments") {
  Generator random(1);
  const Gru gru(3, 4, random);
  const Layout layout = Layout::uniform(2, 6);
  Tape tape;
  Diary diary;
  const auto attached = tape.attach(diary);
  {
    const auto silent = tape.no_gradient();
    (void)scan(gru, {tape.full({12, 3}, 0.5), &layout});
    CHECK(diary.count("f gru") == 6);
    CHECK(diary.count("state of 1") == 6);
  }
  tape.clear();
  diary.lines.clear();
  Gradients gradients;
  tape.backward(sum(last_state_recomputed(gru, {tape.full({12, 3}, 0.5), &layout}, 2)), gradients);
  CHECK(diary.count("b gru") == 6);
}

TEST_CASE("who is told of a beginning is told of the end, or that there is none; nobody else is") {
  Tape tape;
  Curious before, late;
  std::optional<autograd::Attachment> comes, goes;
  comes.emplace(tape, before);
  std::function<void()> what = [] {};
  const Var x = tape.variable(Tensor({1}));
  auto run = [&] { return tape.record(Doing{&what}, {x}, SourceLocation::current()); };
  (void)run();
  CHECK(before.ended == 1);

  what = [&] { throw std::runtime_error("stop"); };
  CHECK_THROWS(run());
  CHECK(before.open == 0);
  CHECK(before.abandoned_ == 1);

  what = [&] { goes.emplace(tape, late); };
  (void)run();
  CHECK(late.ended == 0);
  what = [&] { comes.reset(); };
  (void)run();
  CHECK(before.open == 1);  // it has gone
  CHECK(before.ended == 2);
  CHECK(late.open == 0);
  CHECK(late.ended == 1);
}

TEST_CASE("an observer may ask for derivatives in the middle of backward, and the others are still told") {
  Tape tape;
  Curious first, second;
  const auto a = tape.attach(first);
  const auto b = tape.attach(second);
  std::function<void()> what = [] {};
  Var x = tape.variable(Tensor({1}));
  for (Curious* c : {&first, &second}) c->vars[x.index()] = x;
  for (int i = 0; i < 5; ++i) {
    x = tape.record(Doing{&what}, {x}, SourceLocation::current());
    for (Curious* c : {&first, &second}) c->vars[x.index()] = x;
  }
  Gradients gradients;
  tape.backward(x, gradients);
  for (const Curious* c : {&first, &second}) {
    CHECK(c->asked == 5);
    CHECK(c->ended == 10);
    CHECK(c->open == 0);
  }
}
