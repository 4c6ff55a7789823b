// The formulas of the built-in cells, against their textbook forms on plain doubles.
#include "nn/cell_formulas.h"
#include "nn/steps.h"

#include <cmath>

#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

// `full` operands of one shape, then `rows` of one row each.
std::vector<std::vector<Shape>> samples(int full, int rows) {
  std::vector<std::vector<Shape>> all;
  for (Index r : {0, 1, 2, 5})
    for (Index c : {1, 2, 8, 16, 19}) {
      std::vector<Shape> shapes(static_cast<std::size_t>(full), Shape{r, c});
      shapes.insert(shapes.end(), static_cast<std::size_t>(rows), Shape{c});
      all.push_back(shapes);
    }
  return all;
}

// Element (r, c) of an operand; a row is repeated.
double at(const Tensor& t, Index r, Index c) { return t.view<double>()(t.shape().rows() == 1 ? 0 : r, c); }

Outputs pair(std::array<Var, 2> both) { return {both[0], both[1]}; }

}  // namespace

std::vector<OpEntry> cell_ops() {
  using namespace nn::formulas;
  std::vector<OpEntry> all;
  auto lstm_c = [](Numbers x, Index r, Index k, bool peepholes) {
    const double c = at(x[4], r, k), p_i = peepholes ? at(x[5], r, k) : 0,
                 p_f = peepholes ? at(x[6], r, k) : 0;
    return sigma(at(x[1], r, k) + p_f * c) * c + sigma(at(x[0], r, k) + p_i * c) * std::tanh(at(x[2], r, k));
  };
  auto lstm_expected = [lstm_c](bool peepholes) {
    return [lstm_c, peepholes](Numbers x) {
      const Tensor c = tabulate(x[0].shape(), [&](Index r, Index k) { return lstm_c(x, r, k, peepholes); });
      const Tensor h = tabulate(x[0].shape(), [&](Index r, Index k) {
        const double p_o = peepholes ? at(x[7], r, k) : 0;
        return sigma(at(x[3], r, k) + p_o * at(c, r, k)) * std::tanh(at(c, r, k));
      });
      return std::vector{h, c};
    };
  };
  all.push_back({.name = "lstm",
                 .build = [](Tape&, Inputs x) { return pair(lstm(x[0], x[1], x[2], x[3], x[4])); },
                 .expected = lstm_expected(false),
                 .samples = samples(5, 0)});
  all.push_back({.name = "lstm with peepholes",
                 .build =
                     [](Tape&, Inputs x) {
                       return pair(lstm_with_peepholes(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]));
                     },
                 .expected = lstm_expected(true),
                 .samples = samples(5, 3)});
  all.push_back({.name = "gru, reset after",
                 .build = [](Tape&, Inputs x) -> Outputs {
                   return {gru_reset_after(x[0], x[1], x[2], x[3], x[4], x[5], x[7], x[6])};
                 },
                 .expected =
                     [](Numbers x) {
                       return std::vector{tabulate(x[0].shape(), [&](Index r, Index k) {
                         const double reset = sigma(at(x[0], r, k) + at(x[3], r, k)),
                                      z = sigma(at(x[1], r, k) + at(x[4], r, k));
                         const double n =
                             std::tanh(at(x[2], r, k) + reset * (at(x[5], r, k) + at(x[7], r, k)));
                         return (1 - z) * n + z * at(x[6], r, k);
                       })};
                     },
                 .samples = samples(7, 1)});
  all.push_back({.name = "gru, reset",
                 .build = [](Tape&, Inputs x) -> Outputs { return {gru_reset(x[0], x[1])}; },
                 .expected =
                     [](Numbers x) {
                       return std::vector{tabulate(x[0].shape(), [&](Index r, Index k) {
                         return sigma(at(x[0], r, k)) * at(x[1], r, k);
                       })};
                     },
                 .samples = samples(2, 0)});
  all.push_back({.name = "gru, update",
                 .build = [](Tape&, Inputs x) -> Outputs { return {gru_update(x[0], x[1], x[2])}; },
                 .expected =
                     [](Numbers x) {
                       return std::vector{tabulate(x[0].shape(), [&](Index r, Index k) {
                         const double z = sigma(at(x[0], r, k));
                         return (1 - z) * std::tanh(at(x[1], r, k)) + z * at(x[2], r, k);
                       })};
                     },
                 .samples = samples(3, 0)});
  const OpEntry reset{.name = "reset of rows",
                      .build = [](Tape&, Inputs x) -> Outputs {
                        static constexpr std::uint8_t kResets[] = {0, 1};
                        const auto rows = static_cast<std::size_t>(std::min<Index>(2, x[0].shape()[0]));
                        return {nn::detail::reset_rows(x[0], x[1], std::span(kResets).first(rows))};
                      },
                      .expected =
                          [](Numbers x) {
                            return std::vector{tabulate(
                                x[0].shape(), [&](Index r, Index k) { return at(x[r == 1 ? 1 : 0], r, k); })};
                          },
                      .samples = samples(2, 0),
                      .cannot_be_bad = "scan() has checked the state and the resets"};
  const std::pair<std::size_t, const char*> operands_and_labels[] = {
      {5, "lstm"}, {8, "lstm"}, {8, "gru"}, {2, "gru_reset"}, {3, "gru"}};
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].bad = {mismatched(all[i], operands_and_labels[i].first, operands_and_labels[i].second)};
  // Its last operand is the bias, which comes before h.
  std::string& message = all[2].bad[0].message;
  message.replace(message.find("[2, 3], [3, 2]"), 14, "[3, 2], [2, 3]");
  all.push_back(reset);
  return all;
}

}  // namespace unroll::tests
