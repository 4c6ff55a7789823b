#include <cmath>

#include "ops/losses.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

std::vector<int> labels_for(Index rows, Index classes, bool ignore) {
  std::vector<int> labels;
  for (Index r = 0; r < rows; ++r)
    labels.push_back(ignore && r % 4 == 1 ? -1 : static_cast<int>((7 * r + 3) % classes));
  return labels;
}
std::vector<double> weights_for(Index classes) {
  std::vector<double> weights;
  for (Index c = 0; c < classes; ++c) weights.push_back(0.25 * static_cast<double>(1 + c % 5));
  return weights;
}

// One way of computing cross entropy.
struct Setting {
  bool weighted = false, ignore = false;
  double smoothing = 0;
  Reduction reduction = Reduction::mean;

  CrossEntropyOptions options(Index classes) const {
    return {weighted ? weights_for(classes) : std::vector<double>{}, -1, smoothing, reduction};
  }
};

// The formula of the header, row by row, with plain exponentials in long double.
Tensor formula(const Tensor& logits, const Setting& setting) {
  const Index rows = logits.shape().rows(), classes = logits.shape().cols();
  const std::vector<int> labels = labels_for(rows, classes, setting.ignore);
  std::vector<double> w(static_cast<std::size_t>(classes), 1);
  if (setting.weighted) w = weights_for(classes);
  long double loss = 0, total = 0;
  for (Index r = 0; r < rows; ++r) {
    const int y = labels[static_cast<std::size_t>(r)];
    if (y < 0) continue;
    long double sum = 0;
    for (Index c = 0; c < classes; ++c) sum += std::exp(static_cast<long double>(logits.at(r * classes + c)));
    auto minus_log_p = [&](Index c) { return std::log(sum) - logits.at(r * classes + c); };
    const auto of_label = static_cast<std::size_t>(y);
    loss += (1 - setting.smoothing) * w[of_label] * minus_log_p(y);
    for (Index c = 0; c < classes; ++c)
      loss +=
          setting.smoothing / static_cast<double>(classes) * w[static_cast<std::size_t>(c)] * minus_log_p(c);
    total += w[of_label];
  }
  if (setting.reduction == Reduction::sum || total == 0) total = 1;
  return Tensor::from({}, {static_cast<double>(loss / total)}, f64);
}

std::vector<std::vector<Shape>> logit_shapes() {
  std::vector<std::vector<Shape>> shapes{{{7}}, {{2, 3, 5}}, {{0, 4, 3}}};
  for (Index rows : {0, 1, 2, 6})
    for (Index classes : {1, 2, 5, 16, 19}) shapes.push_back({{rows, classes}});
  return shapes;
}

OpEntry cross_entropy_entry(std::string name, Setting setting) {
  return {.name = std::move(name),
          .build = [setting](Tape&, Inputs x) -> Outputs {
            return {cross_entropy(x[0], labels_for(x[0].rows(), x[0].cols(), setting.ignore),
                                  setting.options(x[0].cols()))};
          },
          .expected = [setting](Numbers x) { return std::vector{formula(x[0], setting)}; },
          .samples = logit_shapes(),
          .cannot_be_bad = "as cross_entropy"};
}

// -- The fused form.

double product(const Tensor& x, const Tensor& w, bool transposed, Index r, Index c) {
  double sum = 0;
  for (Index k = 0; k < x.shape().cols(); ++k)
    sum += x.at(r * x.shape().cols() + k) *
           (transposed ? w.at(c * w.shape()[1] + k) : w.at(k * w.shape()[1] + c));
  return sum;
}

OpEntry fused_entry(std::string name, Setting setting, bool biased, bool transposed) {
  std::vector<std::vector<Shape>> samples;
  // 145 rows of the largest vocabulary are more than one chunk in f64; losses_test.cpp has f32.
  for (auto [rows, hidden, classes] : std::initializer_list<std::array<Index, 3>>{
           {0, 3, 4},  {0, 1, 1}, {1, 1, 1},  {1, 1, 2},    {1, 4, 3}, {1, 3, 17}, {2, 1, 3},
           {2, 2, 2},  {2, 3, 5}, {3, 1, 1},  {3, 4, 2},    {3, 5, 7}, {4, 2, 16}, {4, 3, 1},
           {5, 1, 4},  {5, 2, 8}, {6, 3, 3},  {7, 2, 5},    {8, 5, 4}, {9, 4, 11}, {16, 2, 6},
           {12, 0, 3}, {1, 0, 2}, {33, 2, 9}, {145, 1, 920}}) {
    std::vector<Shape> shapes{{rows, hidden}, transposed ? Shape{classes, hidden} : Shape{hidden, classes}};
    if (biased) shapes.push_back({classes});
    samples.push_back(shapes);
  }
  const auto layout = transposed ? WeightLayout::out_in : WeightLayout::in_out;
  return {.name = std::move(name),
          .build = [=](Tape&, Inputs x) -> Outputs {
            const Index classes = transposed ? x[1].shape()[0] : x[1].shape()[1];
            const auto labels = labels_for(x[0].rows(), classes, setting.ignore);
            const auto options = setting.options(classes);
            return {biased ? linear_cross_entropy(x[0], x[1], x[2], labels, options, layout)
                           : linear_cross_entropy(x[0], x[1], labels, options, layout)};
          },
          .expected =
              [=](Numbers x) {
                const Index classes = transposed ? x[1].shape()[0] : x[1].shape()[1];
                const Tensor logits = tabulate({x[0].shape().rows(), classes}, [&](Index r, Index c) {
                  return product(x[0], x[1], transposed, r, c) + (biased ? x[2].at(c) : 0.0);
                });
                return std::vector{formula(logits, setting)};
              },
          .samples = samples,
          .cannot_be_bad = "as linear_cross_entropy"};
}

// -- Elementwise losses.

template <class Loss, class Formula>
OpEntry elementwise_entry(std::string name, Loss loss, Over over, Formula formula, Domain x, Domain t) {
  std::vector<std::vector<Shape>> samples{{{}, {}}, {{9}, {9}}, {{0}, {0}}, {{2, 3, 4}, {2, 3, 4}}};
  for (Index rows : {0, 1, 2, 5})
    for (Index cols : {1, 3, 8, 16, 17}) samples.push_back({{rows, cols}, {rows, cols}});
  return {.name = name,
          .build = [=](Tape&, Inputs v) -> Outputs { return {loss(v[0], v[1], over)}; },
          .expected =
              [=](Numbers v) {
                double sum = 0;
                for (Index i = 0; i < v[0].size(); ++i) sum += formula(v[0].at(i), v[1].at(i));
                const Index count = over == Over::rows ? v[0].shape().rows() : v[0].size();
                return std::vector{Tensor::from({}, {sum / std::max<double>(1, double(count))}, f64)};
              },
          .samples = samples,
          .domains = {x, t},
          .bad = {{[=](Tape& tape) {
                     loss(tape.zeros({2, 1}), tape.zeros({2}), over);
                   },
                   "[" + name.substr(0, name.find(' ')) +
                       "] predictions of shape [2, 1] and targets of shape [2] came; needed equal shapes"}}};
}

void add_elementwise(std::vector<OpEntry>& entries) {
  auto bce = [](double x, double t) {
    const double s = 1 / (1 + std::exp(-x));
    return -t * std::log(s) - (1 - t) * std::log(1 - s);
  };
  auto huber_formula = [](double x, double t) {
    const double r = std::abs(x - t);
    return r <= 0.75 ? r * r / 2 : 0.75 * (r - 0.375);
  };
  const Domain plain, probability{.low = 0.01, .high = 0.99}, hard{.choices = {0, 1}, .constant = true};
  for (Over over : {Over::elements, Over::rows}) {
    const std::string how = over == Over::rows ? " over rows" : "";
    auto entropy = [](Var x, Var t, Over o) { return binary_cross_entropy(x, t, o); };
    entries.push_back(
        elementwise_entry("binary_cross_entropy" + how, entropy, over, bce, plain, probability));
    entries.push_back(
        elementwise_entry("binary_cross_entropy of labels" + how, entropy, over, bce, plain, hard));
    entries.push_back(elementwise_entry(
        "mean_squared_error" + how, [](Var x, Var t, Over o) { return mean_squared_error(x, t, o); }, over,
        [](double x, double t) { return (x - t) * (x - t); }, plain, plain));
    entries.push_back(elementwise_entry(
        "absolute_error" + how, [](Var x, Var t, Over o) { return absolute_error(x, t, o); }, over,
        [](double x, double t) { return std::abs(x - t); }, plain, plain));
    entries.push_back(elementwise_entry(
        "huber" + how, [](Var x, Var t, Over o) { return huber(x, t, 0.75, o); }, over, huber_formula, plain,
        plain));
  }
}

// -- What is refused.

std::vector<BadInput> bad_cross_entropy() {
  return {
      {[](Tape& t) {
         cross_entropy(t.zeros({3, 4}), std::vector{0, 1});
       },
       "[cross_entropy] 2 labels came for 3 rows; needed one for each"},
      {[](Tape& t) {
         cross_entropy(t.zeros({2, 4}), std::vector{0, 4});
       },
       "[cross_entropy] label 4 came for row 1; needed 0 to 3, or -1 for a row that does not count"},
      {[](Tape& t) {
         cross_entropy(t.zeros({2, 4}), std::vector{0, -2});
       },
       "[cross_entropy] label -2 came for row 1; needed 0 to 3, or -1 for a row that does not count"},
      {[](Tape& t) { cross_entropy(t.zeros({}), std::vector{0}); },
       "[cross_entropy] logits of shape [] came; needed a row of classes"},
      {[](Tape& t) {
         cross_entropy(t.zeros({1, 2}), std::vector{0}, {.class_weights = {1}});
       },
       "[cross_entropy] 1 class weights came for 2 classes; needed one for each"},
      {[](Tape& t) {
         cross_entropy(t.zeros({1, 2}), std::vector{0}, {.class_weights = {1, -1}});
       },
       "[cross_entropy] a class weight of -1 came; needed none below 0"},
      {[](Tape& t) {
         cross_entropy(t.zeros({1, 2}), std::vector{0}, {.label_smoothing = 1});
       },
       "[cross_entropy] a label smoothing of 1 came; needed 0 <= smoothing < 1"},
  };
}

std::vector<BadInput> bad_fused() {
  return {
      {[](Tape& t) {
         linear_cross_entropy(t.zeros({2, 3}), t.zeros({4, 5}), std::vector{0, 0});
       },
       "[linear_cross_entropy] x of shape [2, 3] and a weight of shape [4, 5] came; needed [H, V] with H = "
       "3"},
      {[](Tape& t) {
         linear_cross_entropy(t.zeros({2, 3}), t.zeros({3, 5}), std::vector{0, 0}, {}, WeightLayout::out_in);
       },
       "[linear_cross_entropy] x of shape [2, 3] and a weight of shape [3, 5] came; needed [V, H] with H = "
       "3"},
      {[](Tape& t) {
         linear_cross_entropy(t.zeros({1, 3}), t.zeros({3, 5}), t.zeros({4}), std::vector{0});
       },
       "[linear_cross_entropy] a bias of shape [4] came; needed [5]"},
      {[](Tape& t) {
         linear_cross_entropy(t.zeros({1, 3}), 2.0, std::vector{0});
       },
       "[linear_cross_entropy] a number came; needed a weight matrix, and a bias or none"},
      {[](Tape& t) {
         linear_cross_entropy(t.zeros({1, 3}), t.zeros({3, 5}), std::vector{5});
       },
       "[linear_cross_entropy] label 5 came for row 0; needed 0 to 4, or -1 for a row that does not count"},
  };
}

}  // namespace

std::vector<OpEntry> loss_ops() {
  const Setting plain, all{true, true, 0.1, Reduction::mean}, sum{false, true, 0, Reduction::sum};
  std::vector<OpEntry> entries{
      cross_entropy_entry("cross_entropy", plain),
      cross_entropy_entry("cross_entropy, ignoring, summed", sum),
      cross_entropy_entry("cross_entropy, weighted", {.weighted = true}),
      cross_entropy_entry("cross_entropy, smoothed", {.smoothing = 0.2}),
      cross_entropy_entry("cross_entropy, all options", all),
      fused_entry("linear_cross_entropy", plain, true, false),
      fused_entry("linear_cross_entropy, all options", all, true, false),
      fused_entry("linear_cross_entropy, no bias, transposed", plain, false, true),
      fused_entry("linear_cross_entropy, transposed, summed", sum, true, true),
  };
  entries[0].bad = bad_cross_entropy();
  entries[5].bad = bad_fused();
  entries[0].cannot_be_bad = entries[5].cannot_be_bad = "";
  add_elementwise(entries);
  entries.back().bad.push_back({[](Tape& t) { huber(t.zeros({2}), t.zeros({2}), 0); },
                                "[huber] a delta of 0 came; needed more than 0"});
  return entries;
}

}  // namespace unroll::tests
