#include "ops/reduce.h"

#include <algorithm>
#include <numeric>

#include "tests/ops/axes.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

using Fold = double (*)(const std::vector<double>&);

Tensor folded(const Tensor& x, int axis, Fold fold) {
  const AlongAxis along(x.shape(), axis);
  Tensor result(x.shape().without(axis), f64);
  for (Index b = 0; b < along.before; ++b)
    for (Index a = 0; a < along.after; ++a) {
      std::vector<double> elements;
      for (Index k = 0; k < along.extent; ++k) elements.push_back(x.at(along(b, k, a)));
      result.set(b * along.after + a, fold(elements));
    }
  return result;
}

Tensor with_shape(const Tensor& x, const Shape& shape) { return Tensor::from(shape, x.values(), f64); }

// All that can be reduced of a value: everything, and each axis from the front and (kept) from the back.
template <class Over, class Along>
OpEntry entry(std::string name, Over over_all, Along along, Fold fold, bool of_nothing) {
  return {
      .name = name,
      .build = [=](Tape&, Inputs x) -> Outputs {
        Outputs out;
        if (of_nothing || x[0].shape().size() > 0) out.push_back(over_all(x[0]));
        const int rank = x[0].shape().rank();
        for (int axis = 0; axis < rank; ++axis)
          if (of_nothing || x[0].shape()[axis] > 0) {
            out.push_back(along(x[0], axis, Keep::no));
            out.push_back(along(x[0], axis - rank, Keep::yes));
          }
        return out;
      },
      .expected =
          [=](Numbers x) {
            std::vector<Tensor> out;
            if (of_nothing || x[0].size() > 0) out.push_back(Tensor::from({}, {fold(x[0].values())}, f64));
            for (int axis = 0; axis < x[0].shape().rank(); ++axis)
              if (of_nothing || x[0].shape()[axis] > 0) {
                out.push_back(folded(x[0], axis, fold));
                out.push_back(with_shape(out.back(), x[0].shape().with(axis, 1)));
              }
            return out;
          },
      .samples = {{{}},           {{1}},          {{3}},          {{16}},        {{37}},      {{0, 3}},
                  {{3, 0}},       {{1, 1}},       {{1, 5}},       {{4, 1}},      {{3, 4}},    {{5, 17}},
                  {{2, 70}},      {{2, 3, 4}},    {{3, 1, 5}},    {{1, 4, 1}},   {{2, 0, 3}}, {{2, 5, 16}},
                  {{2, 3, 2, 3}}, {{1, 2, 3, 1}}, {{3, 2, 1, 4}}, {{2, 2, 0, 2}}}};
}

double total(const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double average(const std::vector<double>& v) { return total(v) / static_cast<double>(v.size()); }
double largest(const std::vector<double>& v) { return *std::ranges::max_element(v); }
double smallest(const std::vector<double>& v) { return *std::ranges::min_element(v); }

}  // namespace

std::vector<OpEntry> reduce_ops() {
  auto sums = entry(
      "sum", [](Var x) { return sum(x); }, [](Var x, int axis, Keep keep) { return sum(x, axis, keep); },
      total, true);
  sums.bad = {
      {[](Tape& t) {
         sum(t.zeros({2, 3}), 2);
       },
       "[sum] axis 2 of a value of shape [2, 3] came; needed -2 to 1"},
      {[](Tape& t) {
         sum(t.zeros({2, 3}), -3);
       },
       "[sum] axis -3 of a value of shape [2, 3] came; needed -2 to 1"},
      {[](Tape& t) { sum(t.zeros({}), 0); }, "[sum] axis 0 of a scalar came; needed a value with axes"}};
  auto means = entry(
      "mean", [](Var x) { return mean(x); }, [](Var x, int axis, Keep keep) { return mean(x, axis, keep); },
      average, false);
  means.bad = {
      {[](Tape& t) {
         mean(t.zeros({2, 0}));
       },
       "[mean] a value of shape [2, 0] came, with no elements to reduce; needed at least one"},
      {[](Tape& t) {
         mean(t.zeros({2, 0, 3}), 1);
       },
       "[mean] a value of shape [2, 0, 3] came, with no elements to reduce; needed at least one"},
  };
  auto maxima = entry(
      "max", [](Var x) { return max(x); },
      [](Var x, int axis, Keep keep) { return max(x, Axis(axis), keep); }, largest, false);
  maxima.bad = {{[](Tape& t) { max(t.zeros({0})); },
                 "[max] a value of shape [0] came, with no elements to reduce; needed at least one"},
                {[](Tape& t) { max(t.zeros({4}), Axis(1)); },
                 "[max] axis 1 of a value of shape [4] came; needed -1 to 0"}};
  auto minima = entry(
      "min", [](Var x) { return min(x); },
      [](Var x, int axis, Keep keep) { return min(x, Axis(axis), keep); }, smallest, false);
  minima.bad = {{[](Tape& t) {
                   min(t.zeros({0, 2}), Axis(0));
                 },
                 "[min] a value of shape [0, 2] came, with no elements to reduce; needed at least one"}};
  return {sums, means, maxima, minima};
}

}  // namespace unroll::tests
