// The op that CONTRIBUTING.md adds, with its row of the op table. It is not one of the library.
#include <doctest/doctest.h>

#include "tests/ops/op_table.h"

using namespace unroll;
using namespace unroll::tests;

// y[.., c] = x[.., 0] + ... + x[.., c]; d_x[.., c] = d_y[.., c] + d_y[.., c + 1] + ...
struct CumulativeSum {
  static constexpr const char* name = "cumulative_sum";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;  // backward needs no values

  Shape shape(const autograd::Inputs& in) const {
    if (in[0].rank() == 0) in.reject("a scalar came; needed an axis to add along");
    return in[0];
  }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    const View<const T> x = context.in(0);
    for (Index r = 0; r < x.rows(); ++r) {
      T sum = 0;
      for (Index c = 0; c < x.cols(); ++c) context.out()(r, c) = sum += x(r, c);
    }
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const View<T> d_x = context.add_to(0);
    for (Index r = 0; r < d_x.rows(); ++r) {
      T sum = 0;
      for (Index c = d_x.cols(); c-- > 0;) d_x(r, c) += sum += context.d_out()(r, c);
    }
  }
};
static Var cumulative_sum(Var x, SourceLocation location = SourceLocation::current()) {
  return x.tape(location).record(CumulativeSum{}, {x}, location);
}

static OpEntry cumulative_sum_entry() {
  return {.name = "cumulative_sum",
          .build = [](Tape&, Inputs x) { return Outputs{cumulative_sum(x[0])}; },
          .expected =
              [](Numbers x) {
                return std::vector{tabulate(x[0].shape(), [&](Index r, Index c) {
                  double sum = 0;
                  for (Index k = 0; k <= c; ++k) sum += x[0].at(r * x[0].shape().cols() + k);
                  return sum;
                })};
              },
          .samples = {{{1}},       {{3}},     {{16}},      {{37}},         {{0, 3}},
                      {{3, 0}},    {{1, 1}},  {{1, 5}},    {{4, 1}},       {{3, 4}},
                      {{5, 17}},   {{2, 70}}, {{2, 3, 4}}, {{3, 1, 5}},    {{1, 4, 1}},
                      {{2, 0, 3}}, {{4, 33}}, {{2, 5, 9}}, {{2, 3, 2, 3}}, {{1, 2, 3, 1}}},
          .bad = {{[](Tape& t) { cumulative_sum(t.zeros({})); },
                   "[cumulative_sum] a scalar came; needed an axis to add along"}}};
}

TEST_CASE("the op of CONTRIBUTING.md passes what every op has to") {
  std::set<const autograd::OpTable*> seen;
  for (const std::string& wrong : complaints(cumulative_sum_entry(), seen)) FAIL_CHECK(wrong);
  CHECK_FALSE(seen.empty());
}
