#include "ops/elementwise.h"

#include <algorithm>
#include <cmath>

#include "ops/pointwise.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

std::vector<std::vector<Shape>> unary_samples() {
  std::vector<std::vector<Shape>> samples{{{}},        {{1}},          {{7}},      {{0}},
                                          {{2, 3, 4}}, {{2, 1, 3, 2}}, {{2, 0, 3}}};
  for (Index rows : {0, 1, 2, 5})
    for (Index cols : {0, 1, 8, 16, 19}) samples.push_back({{rows, cols}});
  return samples;
}

std::vector<std::vector<Shape>> binary_samples() {
  std::vector<std::vector<Shape>> samples{
      {{}, {}},
      {{3}, {3}},
      {{3}, {}},
      {{}, {4, 2}},
      {{2, 3, 4}, {2, 3, 4}},
      {{2, 3, 4}, {4}},
      {{2, 3, 4}, {1, 4}},
      {{2, 3, 1}, {2, 3, 4}},
      {{0, 3}, {3}},
      {{0, 3}, {0, 1}},
      {{0, 3}, {1, 1}},
      {{3, 0}, {3, 1}},
      {{3, 0}, {1, 0}},
      {{4, 1}, {1, 5}},
      {{1, 17}, {3, 1}},
  };
  for (Index rows : {1, 2, 4})
    for (Index cols : {1, 5, 16, 18}) {
      samples.push_back({{rows, cols}, {rows, cols}});
      samples.push_back({{rows, cols}, {1, cols}});
      samples.push_back({{rows, 1}, {rows, cols}});
      samples.push_back({{1, 1}, {rows, cols}});
    }
  return samples;
}

// The element of an operand that meets element (r, c) of the result.
double repeated(const Tensor& x, Index rows, Index r, Index c) {
  return x.at((x.shape().rows() == rows ? r : 0) * x.shape().cols() + (x.shape().cols() == 1 ? 0 : c));
}

Shape full_shape(Numbers x) {
  Shape full = x[0].shape();
  for (const Tensor& t : x)
    if (t.shape().rank() > full.rank() || (t.shape().rank() == full.rank() && t.shape().rows() > full.rows()))
      full = t.shape();
  Index cols = 1, rows = 1;
  for (const Tensor& t : x) {
    if (t.shape().cols() != 1) cols = t.shape().cols();
    if (t.shape().rows() != 1) rows = t.shape().rows();
  }
  if (full.rank() == 0) return full;
  full = full.with(-1, cols);
  return full.rows() == rows ? full : full.with(0, rows);
}

template <class F>
OpEntry unary(std::string name, F op, Unary formula, Domain domain = {}) {
  return {.name = std::move(name),
          .build = [op](Tape&, Inputs x) -> Outputs { return {op(x[0])}; },
          .expected =
              [formula](Numbers x) {
                return std::vector{tabulate(
                    x[0].shape(), [&](Index r, Index c) { return formula(x[0].view<double>()(r, c)); })};
              },
          .samples = unary_samples(),
          .domains = {domain},
          .cannot_be_bad = "one operand of any shape"};
}

template <class F>
OpEntry binary(std::string name, F op, Binary formula, std::vector<Domain> domains = {Domain{}}) {
  OpEntry entry{.name = name,
                .build = [op](Tape&, Inputs x) -> Outputs { return {op(x[0], x[1])}; },
                .expected =
                    [formula](Numbers x) {
                      const Shape shape = full_shape(x);
                      return std::vector{tabulate(shape, [&](Index r, Index c) {
                        return formula(repeated(x[0], shape.rows(), r, c),
                                       repeated(x[1], shape.rows(), r, c));
                      })};
                    },
                .samples = binary_samples(),
                .domains = std::move(domains)};
  entry.bad = {mismatched(entry, 2, name)};
  return entry;
}

const Domain kPositive{.low = 0.1, .high = 3};
const Domain kNotZero{.kinks = {0}};
const Domain kAwayFromZero{.low = 0.5, .high = 3};

void add_functions(std::vector<OpEntry>& all) {
  all.push_back(unary(
      "negate", [](Var x) { return -x; }, [](double x) { return -x; }));
  all.push_back(unary(
      "exp", [](Var x) { return exp(x); }, [](double x) { return std::exp(x); }));
  all.push_back(unary(
      "log", [](Var x) { return log(x); }, [](double x) { return std::log(x); }, kPositive));
  all.push_back(unary(
      "sqrt", [](Var x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, kPositive));
  all.push_back(unary(
      "square", [](Var x) { return square(x); }, [](double x) { return x * x; }));
  all.push_back(unary(
      "abs", [](Var x) { return abs(x); }, [](double x) { return std::fabs(x); }, kNotZero));
  all.push_back(unary(
      "tanh", [](Var x) { return tanh(x); }, [](double x) { return std::tanh(x); }));
  all.push_back(unary(
      "sigmoid", [](Var x) { return sigmoid(x); }, [](double x) { return 0.5 + 0.5 * std::tanh(x / 2); }));
  all.push_back(unary(
      "relu", [](Var x) { return relu(x); }, [](double x) { return x > 0 ? x : 0; }, kNotZero));
  all.push_back(unary(
      "leaky_relu", [](Var x) { return leaky_relu(x, 0.2); }, [](double x) { return x > 0 ? x : 0.2 * x; },
      kNotZero));
  all.push_back(unary(
      "elu", [](Var x) { return elu(x, 0.7); }, [](double x) { return x > 0 ? x : 0.7 * (std::exp(x) - 1); },
      kNotZero));
  all.push_back(unary(
      "gelu", [](Var x) { return gelu(x); },
      [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }));
  all.push_back(unary(
      "gelu, far out", [](Var x) { return gelu(x); },
      [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }, {.low = -30, .high = 30}));
  all.push_back(unary(
      "pointwise, integer literals",
      [](Var x) {
        return pointwise(
            "literals",
            [](auto v) {
              return pow(v, 2) + max(v, 0) + min(1, v) + clamp(v, 0, 1) + pow(2, v) + select(0 < v, 1, v) +
                     v * select((v > 0) & (v != 1), 1.0, 0.0) + 2 / (v + 5) - 1u;
            },
            x);
      },
      [](double x) {
        return x * x + std::max(x, 0.0) + std::min(x, 1.0) + std::min(std::max(x, 0.0), 1.0) + std::exp2(x) +
               (x > 0 ? 1 : x) + (x > 0 ? x : 0) + 2 / (x + 5) - 1;
      },
      {.kinks = {0, 1}}));
  all.push_back(unary(
      "softplus", [](Var x) { return softplus(x); }, [](double x) { return std::log(1 + std::exp(x)); }));
  all.push_back(unary(
      "softplus, far out", [](Var x) { return softplus(x); },
      [](double x) { return static_cast<double>(std::log1p(std::exp(static_cast<long double>(x)))); },
      {.low = -60, .high = 60}));
  all.push_back(unary(
      "sin", [](Var x) { return sin(x); }, [](double x) { return std::sin(x); }, {.low = -5, .high = 5}));
  all.push_back(unary(
      "cos", [](Var x) { return cos(x); }, [](double x) { return std::cos(x); }, {.low = -5, .high = 5}));
  all.push_back(unary(
      "pow, constant exponent", [](Var x) { return pow(x, 1.7); },
      [](double x) { return std::exp(1.7 * std::log(x)); }, kPositive));
  all.push_back(unary(
      "clamp", [](Var x) { return clamp(x, -0.5, 0.75); },
      [](double x) { return x < -0.5   ? -0.5
                            : x > 0.75 ? 0.75
                                       : x; }, {.kinks = {-0.5, 0.75}}));
}

void add_arithmetic(std::vector<OpEntry>& all) {
  all.push_back(binary(
      "add", [](Var a, Var b) { return a + b; }, [](double a, double b) { return a + b; }));
  all.push_back(binary(
      "subtract", [](Var a, Var b) { return a - b; }, [](double a, double b) { return a - b; }));
  all.push_back(binary(
      "multiply", [](Var a, Var b) { return a * b; }, [](double a, double b) { return a * b; }));
  all.push_back(binary(
      "divide", [](Var a, Var b) { return a / b; }, [](double a, double b) { return a / b; },
      {Domain{}, kAwayFromZero}));
  all.push_back(binary(
      "max", [](Var a, Var b) { return max(a, b); }, [](double a, double b) { return a > b ? a : b; }));
  all.push_back(binary(
      "min", [](Var a, Var b) { return min(a, b); }, [](double a, double b) { return a < b ? a : b; }));
  all.push_back(binary(
      "pow", [](Var a, Var b) { return pow(a, b); },
      [](double a, double b) { return std::exp(b * std::log(a)); }, {kPositive, Domain{}}));

  all.push_back(unary(
      "add number", [](Var x) { return x + 1.5; }, [](double x) { return x + 1.5; }));
  all.push_back(unary(
      "number add", [](Var x) { return 1.5 + x; }, [](double x) { return x + 1.5; }));
  all.push_back(unary(
      "subtract number", [](Var x) { return x - 1.5; }, [](double x) { return x - 1.5; }));
  all.push_back(unary(
      "number subtract", [](Var x) { return 1.5 - x; }, [](double x) { return 1.5 - x; }));
  all.push_back(unary(
      "multiply number", [](Var x) { return x * -3; }, [](double x) { return -3 * x; }));
  all.push_back(unary(
      "number multiply", [](Var x) { return -3 * x; }, [](double x) { return -3 * x; }));
  all.push_back(unary(
      "divide number", [](Var x) { return x / 0.3; }, [](double x) { return x / 0.3; }));
  all.push_back(unary(
      "number divide", [](Var x) { return 0.3 / x; }, [](double x) { return 0.3 / x; }, kAwayFromZero));
  all.push_back(unary(
      "max number", [](Var x) { return max(x, 0.25); }, [](double x) { return x > 0.25 ? x : 0.25; },
      {.kinks = {0.25}}));
  all.push_back(unary(
      "min number", [](Var x) { return min(x, 0.25); }, [](double x) { return x < 0.25 ? x : 0.25; },
      {.kinks = {0.25}}));
}

std::vector<std::vector<Shape>> same_shapes(std::size_t count) {
  std::vector<std::vector<Shape>> samples;
  for (const auto& one : unary_samples()) samples.emplace_back(count, one[0]);
  return samples;
}

// A mask as operand and as column; operands of all kinds at once; several outputs.
void add_many_operands(std::vector<OpEntry>& all) {
  OpEntry select_entry{.name = "select",
                       .build = [](Tape&, Inputs x) -> Outputs { return {select(x[0], x[1], x[2])}; },
                       .expected =
                           [](Numbers x) {
                             const Shape shape = full_shape(x);
                             return std::vector{tabulate(shape, [&](Index r, Index c) {
                               return repeated(x[repeated(x[0], shape.rows(), r, c) != 0 ? 1 : 2],
                                               shape.rows(), r, c);
                             })};
                           },
                       .samples = same_shapes(3),
                       .domains = {{.choices = {-1, 0, 1}, .constant = true}, Domain{}}};
  for (Index cols : {1, 3, 17}) {
    select_entry.samples.push_back({{4, 1}, {4, cols}, {1, cols}});
    select_entry.samples.push_back({{1, cols}, {4, cols}, {4, 1}});
    select_entry.samples.push_back({{4, cols}, {}, {4, cols}});
  }
  select_entry.bad = {mismatched(select_entry, 3, "select")};
  all.push_back(select_entry);

  OpEntry mixed{
      .name = "pointwise, all kinds of operands",
      .build = [](Tape&, Inputs x) -> Outputs {
        return {pointwise(
            "mixed", [](auto f, auto row, auto col, auto one) { return sigmoid(f) * row + f * col * one; },
            x[0], x[1], x[2], x[3])};
      },
      .expected =
          [](Numbers x) {
            const Index rows = x[0].shape().rows();
            return std::vector{tabulate(x[0].shape(), [&](Index r, Index c) {
              const double f = repeated(x[0], rows, r, c);
              return repeated(x[1], rows, r, c) / (1 + std::exp(-f)) +
                     f * repeated(x[2], rows, r, c) * repeated(x[3], rows, r, c);
            })};
          },
      .samples = {}};
  for (Index rows : {0, 1, 2, 5})
    for (Index cols : {1, 4, 8, 16, 21}) mixed.samples.push_back({{rows, cols}, {cols}, {rows, 1}, {}});
  mixed.bad = {mismatched(mixed, 4, "mixed")};
  all.push_back(mixed);

  OpEntry pair{
      .name = "pointwise, a pair",
      .build = [](Tape&, Inputs x) -> Outputs {
        auto [a, b] = pointwise(
            "pair",
            [k = 3](auto u, auto v) {
              return std::pair{u * v, k * u - v};
            },
            x[0], x[1]);
        return {a, b};
      },
      .expected =
          [](Numbers x) {
            auto at = [&](std::size_t i, Index r, Index c) { return x[i].view<double>()(r, c); };
            return std::vector{
                tabulate(x[0].shape(), [&](Index r, Index c) { return at(0, r, c) * at(1, r, c); }),
                tabulate(x[0].shape(), [&](Index r, Index c) { return 3 * at(0, r, c) - at(1, r, c); })};
          },
      .samples = same_shapes(2)};
  pair.bad = {mismatched(pair, 2, "pair")};
  all.push_back(pair);

  all.push_back({.name = "pointwise, an LSTM cell with two outputs",
                 .build = [](Tape&, Inputs x) -> Outputs {
                   auto [h, c] = pointwise(
                       "lstm",
                       [](auto i, auto f, auto g, auto o, auto before) {
                         auto after = sigmoid(f) * before + sigmoid(i) * tanh(g);
                         return std::tuple{sigmoid(o) * tanh(after), after};
                       },
                       x[0], x[1], x[2], x[3], x[4]);
                   return {h, c};
                 },
                 .expected =
                     [](Numbers x) {
                       auto s = [](double v) { return 1 / (1 + std::exp(-v)); };
                       const Tensor c = tabulate(x[0].shape(), [&](Index r, Index k) {
                         const Index e = r * x[0].shape().cols() + k;
                         return s(x[1].at(e)) * x[4].at(e) + s(x[0].at(e)) * std::tanh(x[2].at(e));
                       });
                       const Tensor h = tabulate(x[0].shape(), [&](Index r, Index k) {
                         const Index e = r * x[0].shape().cols() + k;
                         return s(x[3].at(e)) * std::tanh(c.at(e));
                       });
                       return std::vector{h, c};
                     },
                 .samples = same_shapes(5)});
}

const char* const kBroadcast = "; needed equal shapes, or rows, columns or scalars to repeat";

}  // namespace

std::vector<OpEntry> elementwise_ops() {
  std::vector<OpEntry> all;
  add_functions(all);
  add_arithmetic(all);
  add_many_operands(all);
  OpEntry& cell = *std::ranges::find(all, "pointwise, an LSTM cell with two outputs", &OpEntry::name);
  cell.bad = {
      {[](Tape& t) {
         t.zeros({2, 3}) * t.zeros({2});
       },
       std::string("[multiply] shapes [2, 3], [2] came") + kBroadcast},
      {[](Tape& t) {
         max(t.zeros({2, 3, 4}), t.zeros({4, 4}));
       },
       std::string("[max] shapes [2, 3, 4], [4, 4] came") + kBroadcast},
      {[](Tape&) { tanh(Var()); }, "[value] an empty handle came; needed one that an op or a tape gave"},
      {[](Tape& t) {
         Tape other;
         t.zeros({2}) + other.zeros({2});
       },
       "[add] a handle of another tape came; needed one tape for all operands. Where it is what a cell reads "
       "beside "
       "its input and state, list it in side_inputs() (nn/side_inputs.h)"},
      {[](Tape& t) {
         Var x = t.zeros({2});
         t.clear();
         exp(x);
       },
       "[value] a handle of a cleared tape came; compute it again after clear(), or carry its values across "
       "passes with tensor() and constant()"},
  };
  return all;
}

}  // namespace unroll::tests
