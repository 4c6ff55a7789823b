#include "autograd/observer.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "nn/nn.h"

using namespace unroll;
using autograd::Phase;

namespace {

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
