// Operands that are repeated in memory first, as NumPy has it.
#include <array>

#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

// Element (i, j, k, l) of x, whose extents are compared with those of the result from the last one on.
double as_numpy(const Tensor& x, const Shape& result, Index row, Index col) {
  Index at = 0, stride = 1;
  for (int axis = result.rank() - 1; axis >= 0; --axis) {
    const Index here = axis == result.rank() - 1 ? col : row % result[axis];
    if (axis < result.rank() - 1) row /= result[axis];
    const int own = axis - (result.rank() - x.shape().rank());
    if (own < 0) continue;
    at += (x.shape()[own] == 1 ? 0 : here) * stride;
    stride *= x.shape()[own];
  }
  return x.at(at);
}

const std::vector<std::vector<Shape>> kNumpySamples{
    {{2, 3, 4}, {3, 4}},       {{3, 4}, {2, 3, 4}},          {{2, 3, 4}, {3, 1}},
    {{2, 3, 4}, {2, 1, 4}},    {{2, 1, 4}, {1, 3, 4}},       {{2, 1, 4}, {3, 1}},
    {{2, 1, 1}, {1, 3, 5}},    {{2, 1, 1}, {3, 1}},          {{3, 1, 17}, {2, 1}},
    {{2, 3, 1, 5}, {4, 1}},    {{2, 1, 4, 1}, {1, 3, 1, 5}}, {{1, 2, 3, 4}, {2, 1, 4}},
    {{2, 1, 3, 4}, {5, 1, 1}}, {{2, 3, 4, 5}, {3, 1, 5}},    {{2, 3, 4, 5}, {4, 5}},
    {{1, 3, 1}, {2, 1, 2}},    {{0, 1, 4}, {3, 4}},          {{2, 1, 0}, {3, 1}},
    {{2, 1, 1}, {1, 1, 1}},    {{1, 5, 1}, {3, 1, 2}},
};

}  // namespace

std::vector<OpEntry> broadcast_ops() {
  std::vector<OpEntry> all;
  auto result_of = [](Numbers x) { return *ops::common_shape(std::array{x[0].shape(), x[1].shape()}); };
  OpEntry entry{.name = "multiply, broadcast as in NumPy",
                .build = [](Tape&, Inputs x) -> Outputs { return {x[0] * x[1]}; },
                .expected =
                    [=](Numbers x) {
                      const Shape result = result_of(x);
                      return std::vector{tabulate(result, [&](Index r, Index c) {
                        return as_numpy(x[0], result, r, c) * as_numpy(x[1], result, r, c);
                      })};
                    },
                .samples = kNumpySamples};
  entry.bad = {mismatched(entry, 2, "multiply")};
  all.push_back(entry);
  all.push_back({.name = "broadcast_to",
                 .build = [=](Tape&, Inputs x) -> Outputs {
                   return {broadcast_to(x[0], *ops::common_shape(std::array{x[0].shape(), x[1].shape()})) +
                           0 * sum(x[1])};
                 },
                 .expected =
                     [=](Numbers x) {
                       const Shape result = result_of(x);
                       return std::vector{
                           tabulate(result, [&](Index r, Index c) { return as_numpy(x[0], result, r, c); })};
                     },
                 .samples = kNumpySamples,
                 .bad = {{[](Tape& t) {
                            broadcast_to(t.zeros({3, 2}), {4, 3, 3});
                          },
                          "[broadcast_to] a value of shape [3, 2] came; needed extents that are those of [4, "
                          "3, 3] or 1, from "
                          "the last one on"},
                         {[](Tape& t) {
                            broadcast_to(t.zeros({1, 2}), {2});
                          },
                          "[broadcast_to] a value of shape [1, 2] came; needed extents that are those of [2] "
                          "or 1, from the "
                          "last one on"}}});
  return all;
}

}  // namespace unroll::tests
