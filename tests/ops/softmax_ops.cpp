#include "ops/softmax.h"

#include <cmath>

#include "ops/layer_norm.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

using Samples = std::vector<std::vector<Shape>>;

long double sum_of_exponentials(const Tensor& x, Index r) {
  long double sum = 0;
  for (Index c = 0; c < x.shape().cols(); ++c)
    sum += std::exp(static_cast<long double>(x.view<double>()(r, c)));
  return sum;
}

const Samples row_shapes{{{1}},     {{5}},     {{16}},    {{37}},      {{1, 1}},    {{1, 4}},      {{3, 1}},
                         {{2, 2}},  {{4, 8}},  {{5, 16}}, {{3, 17}},   {{2, 33}},   {{0, 4}},      {{7, 3}},
                         {{2, 64}}, {{2, 70}}, {{6, 5}},  {{2, 3, 4}}, {{2, 0, 4}}, {{2, 1, 2, 9}}};

OpEntry row_entry(std::string name, Var (*op)(Var, SourceLocation),
                  double (*formula)(double x, long double sum)) {
  OpEntry entry{.name = name,
                .build = [op](Tape&, Inputs x) -> Outputs { return {op(x[0], SourceLocation::current())}; },
                .expected =
                    [formula](Numbers x) {
                      return std::vector{tabulate(x[0].shape(), [&](Index r, Index c) {
                        return formula(x[0].view<double>()(r, c), sum_of_exponentials(x[0], r));
                      })};
                    },
                .samples = row_shapes,
                .bad = {{[op](Tape& t) { op(t.zeros({}), SourceLocation::current()); },
                         "[" + name + "] a scalar came; needed a value with columns"}}};
  entry.samples.push_back({{3, 0}});
  return entry;
}

OpEntry logsumexp_entry() {
  return {.name = "logsumexp",
          .build = [](Tape&, Inputs x) -> Outputs { return {logsumexp(x[0])}; },
          .expected =
              [](Numbers x) {
                Tensor y(x[0].shape().without(-1), f64);
                for (Index r = 0; r < y.size(); ++r)
                  y.set(r, static_cast<double>(std::log(sum_of_exponentials(x[0], r))));
                return std::vector{y};
              },
          .samples = row_shapes,
          .bad = {{[](Tape& t) {
                     logsumexp(t.zeros({2, 0}));
                   },
                   "[logsumexp] a value of shape [2, 0] came; needed at least one column"}}};
}

constexpr double kEpsilon = 0.01;

OpEntry layer_norm_entry() {
  Samples samples;
  for (const auto& shapes : row_shapes)
    samples.push_back({shapes[0], {shapes[0].cols()}, {shapes[0].cols()}});
  samples.push_back({{3, 4}, {1, 4}, {1, 4}});
  return {.name = "layer_norm",
          .build = [](Tape&, Inputs x) -> Outputs { return {layer_norm(x[0], x[1], x[2], kEpsilon)}; },
          .expected =
              [](Numbers x) {
                const auto v = x[0].view<double>();
                const auto n = static_cast<double>(v.cols());
                return std::vector{tabulate(v.shape, [&](Index r, Index c) {
                  double mean = 0, variance = 0;
                  for (Index k = 0; k < v.cols(); ++k) mean += v(r, k) / n;
                  for (Index k = 0; k < v.cols(); ++k) variance += (v(r, k) - mean) * (v(r, k) - mean) / n;
                  return x[1].at(c) * (v(r, c) - mean) / std::sqrt(variance + kEpsilon) + x[2].at(c);
                })};
              },
          .samples = samples,
          .bad = {{[](Tape& t) {
                     layer_norm(t.zeros({2, 3}), t.zeros({2}), t.zeros({3}));
                   },
                   "[layer_norm] a gain of shape [2] came for a value of shape [2, 3]; needed [3]"},
                  {[](Tape& t) {
                     layer_norm(t.zeros({2, 3}), t.zeros({3}), t.zeros({3, 1}));
                   },
                   "[layer_norm] a bias of shape [3, 1] came for a value of shape [2, 3]; needed [3]"},
                  {[](Tape& t) {
                     layer_norm(t.zeros({2, 3}), 1.0, t.zeros({3}));
                   },
                   "[layer_norm] a number came for gain or bias; needed values of one row"},
                  {[](Tape& t) {
                     layer_norm(t.zeros({2, 0}), t.zeros({0}), t.zeros({0}));
                   },
                   "[layer_norm] a value of shape [2, 0] came; needed at least one column"},
                  {[](Tape& t) {
                     layer_norm(t.zeros({2, 3}), t.zeros({3}), t.zeros({3}), 0);
                   },
                   "[layer_norm] an epsilon of 0 came; needed one above 0"}}};
}

}  // namespace

std::vector<OpEntry> softmax_ops() {
  return {row_entry("softmax", softmax,
                    [](double x, long double sum) {
                      return static_cast<double>(std::exp(static_cast<long double>(x)) / sum);
                    }),
          row_entry("log_softmax", log_softmax,
                    [](double x, long double sum) { return static_cast<double>(x - std::log(sum)); }),
          logsumexp_entry(), layer_norm_entry()};
}

}  // namespace unroll::tests
