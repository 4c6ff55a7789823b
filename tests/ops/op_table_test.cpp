#include "tests/ops/op_table.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "ops/elementwise.h"
#include "ops/pointwise.h"

using namespace unroll;
using namespace unroll::tests;

namespace {

// Ops of the library, by the type that the compiler spells out: gcc names the function a lambda stands in,
// clang its file. Tests and programs have ops of their own, which are not the table's business.
bool of_library(std::string_view type) {
  if (type.find("tests/") != type.npos || type.find("unroll::tests::") != type.npos) return false;
  const std::size_t start = type.find("T = ") + 4;
  std::string_view op = type.substr(start);
  const std::string_view wrapper = "unroll::ops::Pointwise<";
  if (op.starts_with(wrapper)) op.remove_prefix(wrapper.size());
  return op.starts_with("unroll::") || op.find("lambda at ") != op.npos;
}

}  // namespace

TEST_CASE("every op of the library is in the table, and passes") {
  std::set<const autograd::OpTable*> seen;
  for (const OpEntry& entry : all_entries()) {
    const std::vector<std::string> wrong = complaints(entry, seen);
    for (std::size_t i = 0; i < std::min<std::size_t>(wrong.size(), 5); ++i) FAIL_CHECK(wrong[i]);
    CHECK_MESSAGE(wrong.empty(), entry.name << ": " << wrong.size() << " complaints");
  }
  for (const autograd::OpTable* op : autograd::all_ops())
    if (of_library(op->type)) CHECK_MESSAGE(seen.contains(op), "not in the table: " << std::string(op->type));
}

namespace {

// x^2 in a chosen wrong way.
enum class Fault { none, slope, assigns, reads_unclaimed, takes_memory };
struct Square {
  static constexpr const char* name = "test square";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 0;
  Fault fault;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    for (Index r = 0; r < context.out().rows(); ++r)
      for (Index c = 0; c < context.out().cols(); ++c)
        context.out()(r, c) = context.in(0)(r, c) * context.in(0)(r, c);
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const autograd::Into<T> d = context.d_in(0);
    if (fault == Fault::takes_memory) (void)context.scratch(1);
    const T slope = fault == Fault::slope ? T(2.0001) : T(2);
    for (Index r = 0; r < d.view.rows(); ++r)
      for (Index c = 0; c < d.view.cols(); ++c) {
        T& to = d.view(r, c);
        const bool assign = d.fresh || fault == Fault::assigns;
        const T unclaimed = fault == Fault::reads_unclaimed ? T(0) * context.out()(r, c) : T(0);
        to = (assign ? T(0) : to) + context.d_out()(r, c) * slope * context.in(0)(r, c) + unclaimed;
      }
  }
};

OpEntry square_entry(Fault fault) {
  OpEntry entry{.name = "square",
                .build = [fault](Tape& tape, Inputs x) -> Outputs {
                  return {tape.record(Square{fault}, {x[0]}, SourceLocation::current())};
                },
                .expected =
                    [](Numbers x) {
                      return std::vector{tabulate(x[0].shape(), [&](Index r, Index c) {
                        const double v = x[0].view<double>()(r, c);
                        return v * v;
                      })};
                    },
                .samples = {{{0, 3}}},
                .cannot_be_bad = "takes any shape"};
  for (Index n = 1; n < 20; ++n) entry.samples.push_back({{n, 3}});
  entry.samples.push_back({{1, 1}});
  return entry;
}

bool complains_of(const OpEntry& entry, std::string_view what) {
  std::set<const autograd::OpTable*> seen;
  const auto wrong = complaints(entry, seen);
  return std::ranges::any_of(wrong, [what](const std::string& w) { return w.find(what) != w.npos; });
}

}  // namespace

TEST_CASE("the driver of the table sees what is wrong") {
  std::set<const autograd::OpTable*> seen;
  CHECK(complaints(square_entry(Fault::none), seen).empty());
  CHECK(seen.contains(&autograd::op_table<Square>));
  CHECK(complains_of(square_entry(Fault::slope), "gradient against differences"));
  CHECK(complains_of(square_entry(Fault::assigns), "gradient added to another"));
  CHECK(complains_of(square_entry(Fault::reads_unclaimed), "poisoned tape"));
  CHECK(complains_of(square_entry(Fault::takes_memory), "foretold memory"));

  OpEntry entry = square_entry(Fault::none);
  entry.expected = [](Numbers x) { return std::vector{x[0]}; };
  CHECK(complains_of(entry, "value against the formula"));
  entry = square_entry(Fault::none);
  entry.samples.resize(19);
  CHECK(complains_of(entry, "19 samples; needed 20"));
  CHECK(complains_of(entry, "no sample of size 1"));
  entry = square_entry(Fault::none);
  entry.cannot_be_bad.clear();
  CHECK(complains_of(entry, "no bad input, and no reason why not"));
  entry.bad = {{[](Tape& t) { t.zeros({1}); }, "[square] no"}};
  CHECK(complains_of(entry, "\"no error\" came"));
  entry.cannot_be_bad = "takes any shape";
  CHECK(complains_of(entry, "a reason why there is none"));
  entry.bad = {
      {[](Tape& t) { multiply(t.zeros({2}), t.zeros({3}), SourceLocation{}); },
       "[multiply] shapes [2], [3] came; needed equal shapes, or rows, columns or scalars to repeat"}};
  CHECK(complains_of(entry, "bad input"));
}
