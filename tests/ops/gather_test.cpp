#include "ops/gather.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "ops/matmul.h"
#include "ops/reduce.h"

using namespace unroll;

namespace {
std::vector<int> touched(const Gradients& gradients, const Parameter& p) {
  const auto rows = gradients.find(p)->rows();
  return {rows.begin(), rows.end()};
}
}  // namespace

TEST_CASE("a step over a large vocabulary touches only the rows it used") {
  constexpr Index kWidth = 8;
  Parameter table("table", {100000, kWidth});
  Tape tape;
  Gradients gradients;
  for (const std::vector<int>& indices : {std::vector{99999, 5, 70000, 5}, std::vector{5, 12}}) {
    tape.clear();
    gradients.clear();
    tape.backward(sum(gather_rows(tape, table, indices)), gradients);
    const auto* entry = gradients.find(table);
    REQUIRE(entry);
    CHECK(entry->state() == Gradients::Entry::State::rows);
    std::vector<int> used;
    std::vector<double> times;
    for (int i : indices)
      if (std::ranges::find(used, i) == used.end()) used.push_back(i);
    CHECK(touched(gradients, table) == used);
    for (int i : used)
      for (Index c = 0; c < kWidth; ++c)
        CHECK(entry->buffer().at(i * kWidth + c) == std::ranges::count(indices, i));
    double total = 0;
    for (float g : entry->buffer().span<float>()) total += g;
    CHECK(total == static_cast<double>(indices.size()) * kWidth);
  }
}

TEST_CASE("the padding row gets no gradient") {
  for (bool parameter : {true, false}) {
    Tape tape(f64);
    Gradients gradients;
    Parameter table("table", {4, 2}, f64);
    const Var x = parameter ? tape.parameter(table) : tape.variable(table.value());
    const std::vector<int> indices{0, 3, 0, 1};
    tape.backward(sum(gather_rows(x, indices, 0)), gradients);
    const Tensor gradient = parameter ? gradients.dense(table) : tape.gradient(x);
    CHECK(gradient.values() == std::vector<double>{0, 0, 1, 1, 0, 0, 1, 1});
    if (parameter) CHECK(touched(gradients, table) == std::vector{3, 1});
  }
}

TEST_CASE("a table that is looked up and multiplied, in either order") {
  const std::vector<int> indices{2, 0, 2};
  std::vector<double> first;
  for (bool lookup_first : {true, false}) {
    Tape tape(f64);
    Gradients gradients;
    Parameter table("table", {3, 2}, f64);
    for (Index i = 0; i < 6; ++i) table.value().set(i, 0.5 * static_cast<double>(i) - 1);
    const Var ones = tape.full({1, 3}, 1);
    const Var early = lookup_first ? sum(gather_rows(tape, table, indices)) : sum(matmul(ones, table));
    const Var late = lookup_first ? sum(matmul(ones, table)) : sum(gather_rows(tape, table, indices));
    tape.backward(early * late, gradients);
    const std::vector<double> gradient = gradients.dense(table).values();
    if (lookup_first)
      first = gradient;
    else
      CHECK(gradient == first);
    // values -1 -0.5 0 0.5 1 1.5: the lookups sum to 3.5, all elements to 1.5
    CHECK(gradient == std::vector<double>{5, 5, 3.5, 3.5, 6.5, 6.5});
  }
}
