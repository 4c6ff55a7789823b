#include "ops/matmul.h"

#include <algorithm>

#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

constexpr auto kNo = Transpose::no, kYes = Transpose::yes;

// op(a) op(b) + addend, element by element.
Tensor product(const Tensor& a, const Tensor& b, Transpose ta = kNo, Transpose tb = kNo,
               const Tensor* addend = nullptr) {
  const Index inner = ta == kYes ? a.shape().rows() : a.shape().cols();
  const Index n = tb == kYes ? b.shape()[0] : b.shape()[1];
  const Shape shape = ta == kYes ? Shape{a.shape().cols(), n} : a.shape().with(-1, n);
  return tabulate(shape, [&](Index r, Index c) {
    double sum = addend ? addend->at(addend->size() == n && shape.rows() != 1 ? c : r * n + c) : 0;
    for (Index k = 0; k < inner; ++k)
      sum += (ta == kYes ? a.view<double>()(k, r) : a.view<double>()(r, k)) *
             (tb == kYes ? b.view<double>()(c, k) : b.view<double>()(k, c));
    return sum;
  });
}

struct Extents {
  Index m, n, k;
};
// Batch 1 to more than the 512 rows that the deferred gradient gathers.
const std::vector<Extents> kExtents{
    {1, 1, 1}, {1, 5, 3},  {2, 1, 4},   {3, 2, 1},    {3, 4, 5},  {5, 3, 4},   {4, 4, 4},   {8, 8, 8},
    {7, 9, 2}, {16, 3, 2}, {17, 2, 3},  {2, 17, 3},   {3, 2, 17}, {0, 3, 4},   {3, 0, 2},   {4, 3, 0},
    {0, 0, 0}, {1, 40, 7}, {33, 16, 8}, {64, 32, 48}, {1, 1, 9},  {130, 6, 5}, {600, 3, 4}, {513, 2, 2},
};

std::vector<std::vector<Shape>> samples(Transpose ta, Transpose tb) {
  std::vector<std::vector<Shape>> result;
  for (auto [m, n, k] : kExtents)
    result.push_back({ta == kYes ? Shape{k, m} : Shape{m, k}, tb == kYes ? Shape{n, k} : Shape{k, n}});
  return result;
}

OpEntry plain(std::string name, Transpose ta, Transpose tb) {
  OpEntry entry{
      .name = std::move(name),
      .build = [=](Tape&, Inputs x) -> Outputs { return {matmul(x[0], x[1], ta, tb)}; },
      .expected = [=](Numbers x) { return std::vector{product(x[0], x[1], ta, tb)}; },
      .samples = samples(ta, tb),
      .bad = {{[=](Tape& t) {
                 matmul(t.zeros({2, 3}), t.zeros({4, 5}), ta, tb);
               },
               std::string("[matmul] a is [2, 3]") + (ta == kYes ? " transposed" : "") + " and b is [4, 5]" +
                   (tb == kYes ? " transposed" : "") + "; needed the inner extents equal, " +
                   (ta == kYes ? "2" : "3") + " and " + (tb == kYes ? "5" : "4") + " came"}}};
  if (ta == kNo) {
    const Shape b = tb == kYes ? Shape{5, 4} : Shape{4, 5};
    entry.samples.push_back({{2, 3, 4}, b});
    entry.samples.push_back({{2, 1, 3, 4}, b});
    entry.samples.push_back({{4}, b});
  }
  return entry;
}

std::vector<std::vector<Shape>> samples_with(bool row) {
  std::vector<std::vector<Shape>> result;
  for (auto [m, n, k] : kExtents) result.push_back({row ? Shape{n} : Shape{m, n}, {m, k}, {k, n}});
  return result;
}

// Two steps of a recurrence that adds into one buffer, as scan() does: the same weight each time.
Outputs steps_in_place(Tape& tape, Inputs x) {
  const Index rows = x[0].shape()[0], half = rows / 2;
  const Var opened = tape.donate_to_ops(x[0] * 1.0);
  auto step = [&](Index begin, Index count) {
    return ops::add_matmul_in_place(tape.rows(opened, begin, count), tape.rows(x[1], begin, count), x[2]);
  };
  return {step(0, half), step(half, rows - half)};
}

std::vector<Tensor> expected_steps(Numbers x) {
  const Tensor all = product(x[1], x[2], kNo, kNo, &x[0]);
  const Index rows = all.shape()[0], half = rows / 2;
  auto part = [&](Index begin, Index count) {
    return tabulate(all.shape().with(0, count),
                    [&](Index r, Index c) { return all.view<double>()(begin + r, c); });
  };
  return {part(0, half), part(half, rows - half)};
}

// One weight, many uses with few rows each: what the deferred gradient is for.
Outputs reused(Tape&, Inputs x) {
  const Var once = matmul(x[0], x[1]);
  const Var twice = matmul(once, x[1]);
  return {matmul(twice, x[1], kNo, kYes), twice};
}

}  // namespace

std::vector<OpEntry> matmul_ops() {
  std::vector<OpEntry> all{
      plain("matmul", kNo, kNo),
      plain("matmul, b transposed", kNo, kYes),
      plain("matmul, a transposed", kYes, kNo),
      plain("matmul, both transposed", kYes, kYes),
  };
  all.push_back({.name = "affine",
                 .build = [](Tape&, Inputs x) -> Outputs { return {affine(x[1], x[2], x[0])}; },
                 .expected = [](Numbers x) { return std::vector{product(x[1], x[2], kNo, kNo, &x[0])}; },
                 .samples = samples_with(true),
                 .bad = {{[](Tape& t) {
                            affine(t.zeros({2, 3}), t.zeros({3, 4}), t.zeros({3}));
                          },
                          "[matmul] a bias of shape [3] came; needed [4]"}}});
  all.push_back({.name = "add_matmul",
                 .build = [](Tape&, Inputs x) -> Outputs { return {add_matmul(x[0], x[1], x[2])}; },
                 .expected = [](Numbers x) { return std::vector{product(x[1], x[2], kNo, kNo, &x[0])}; },
                 .samples = samples_with(false),
                 .bad = {{[](Tape& t) {
                            add_matmul(t.zeros({4}), t.zeros({2, 3}), t.zeros({3, 4}));
                          },
                          "[matmul] an addend of shape [4] came; needed [2, 4]"}}});
  all.push_back({.name = "add_matmul_in_place",
                 .build = steps_in_place,
                 .expected = expected_steps,
                 .samples = samples_with(false),
                 .bad = {{[](Tape& t) {
                            const Var x = exp(t.zeros({2, 4}));
                            t.donate_to_ops(x);
                            tanh(x);
                          },
                          "[tanh] a value came whose memory was given to a recurrence for overwriting; "
                          "needed its use inside the cell's step, or a copy made before"}}});
  OpEntry chain{.name = "matmul, one weight used three times",
                .build = reused,
                .expected =
                    [](Numbers x) {
                      const Tensor twice = product(product(x[0], x[1]), x[1]);
                      return std::vector{product(twice, x[1], kNo, kYes), twice};
                    },
                .samples = {},
                .cannot_be_bad = "as matmul"};
  for (Index rows : {0, 1, 2, 7, 130})
    for (Index n : {1, 2, 5, 8}) chain.samples.push_back({{rows, n}, {n, n}});
  all.push_back(chain);

  all[0].bad.insert(all[0].bad.end(), {{[](Tape& t) {
                                          matmul(t.zeros({2, 3}), t.zeros({3}));
                                        },
                                        "[matmul] a is [2, 3] and b is [3]; needed two matrices (a without "
                                        "transposition may have leading extents)"},
                                       {[](Tape& t) {
                                          matmul(t.zeros({2, 3}), 2.0);
                                        },
                                        "[matmul] a number came; needed a matrix"}});
  return all;
}

}  // namespace unroll::tests
