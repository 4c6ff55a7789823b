// Ops over rows chosen by number: gather, dropout with one mask for all steps, pooling over time.
#include "ops/segment.h"

#include <algorithm>
#include <cmath>

#include "ops/dropout.h"
#include "ops/gather.h"
#include "ops/packing.h"
#include "ops/pick.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

using Samples = std::vector<std::vector<Shape>>;

// Lengths that add up to the number of rows; unsorted, some of them equal.
std::vector<int> lengths_of(Index rows) {
  static constexpr int pattern[] = {2, 4, 1, 4, 3, 7};
  std::vector<int> lengths;
  for (int i = 0; rows > 0; ++i) {
    lengths.push_back(static_cast<int>(std::min<Index>(rows, pattern[i % 6])));
    rows -= lengths.back();
  }
  return lengths;
}
ops::Layout layout_of(Index rows) { return rows == 0 ? ops::Layout() : ops::Layout(lengths_of(rows)); }

Samples packed_shapes() {
  Samples samples;
  for (Index rows : {0, 1, 2, 3, 7, 11, 23})
    for (Index cols : {1, 2, 17}) samples.push_back({{rows, cols}});
  samples.push_back({{5, 0}});
  return samples;
}

// fold(the column of one sequence) for each sequence and column.
template <class Fold>
Tensor pooled(const Tensor& x, Fold fold) {
  const ops::Layout layout = layout_of(x.shape()[0]);
  return tabulate({layout.batch(), x.shape()[1]}, [&](Index s, Index c) {
    std::vector<double> steps;
    for (Index t = 0; t < layout.length(s); ++t) steps.push_back(x.view<double>()(layout.row(s, t), c));
    return fold(steps);
  });
}
double total(const std::vector<double>& steps) {
  double sum = 0;
  for (double x : steps) sum += x;
  return sum;
}

template <class Op, class Fold>
OpEntry pooling_entry(std::string name, Op op, Fold fold) {
  return {
      .name = name,
      .build = [op](Tape&, Inputs x) -> Outputs { return {op(x[0], layout_of(x[0].rows()))}; },
      .expected = [fold](Numbers x) { return std::vector{pooled(x[0], fold)}; },
      .samples = packed_shapes(),
      .bad = {{[op](Tape& t) {
                 op(t.zeros({4, 2}), ops::Layout(lengths_of(3)));
               },
               "[" + name + "] a value of shape [4, 2] came for a layout of 3 rows; needed [3, columns]"}}};
}

OpEntry weighted_entry() {
  Samples samples;
  for (const auto& shapes : packed_shapes()) samples.push_back({shapes[0], {shapes[0][0], 1}});
  return {
      .name = "segment_sum with weights",
      .build = [](Tape&, Inputs x) -> Outputs { return {segment_sum(x[0], x[1], layout_of(x[0].rows()))}; },
      .expected =
          [](Numbers x) {
            const Tensor weighted = tabulate(
                x[0].shape(), [&](Index r, Index c) { return x[0].view<double>()(r, c) * x[1].at(r); });
            return std::vector{pooled(weighted, total)};
          },
      .samples = samples,
      .bad = {{[](Tape& t) {
                 segment_sum(t.zeros({3, 2}), t.zeros({3}), ops::Layout(lengths_of(3)));
               },
               "[segment_sum] weights of shape [3] came for a layout of 3 rows; needed [3, 1]"}}};
}

OpEntry segment_softmax_entry() {
  return {
      .name = "segment_softmax",
      .build = [](Tape&, Inputs x) -> Outputs { return {segment_softmax(x[0], layout_of(x[0].rows()))}; },
      .expected =
          [](Numbers x) {
            const ops::Layout layout = layout_of(x[0].shape()[0]);
            Tensor y(x[0].shape(), f64);
            for (Index s = 0; s < layout.batch(); ++s)
              for (Index c = 0; c < y.shape()[1]; ++c) {
                double sum = 0;
                for (Index t = 0; t < layout.length(s); ++t)
                  sum += std::exp(x[0].view<double>()(layout.row(s, t), c));
                for (Index t = 0; t < layout.length(s); ++t)
                  y.view<double>()(layout.row(s, t), c) =
                      std::exp(x[0].view<double>()(layout.row(s, t), c)) / sum;
              }
            return std::vector{y};
          },
      .samples = packed_shapes(),
      .bad = {{[](Tape& t) { segment_softmax(t.zeros({3}), ops::Layout(lengths_of(3))); },
               "[segment_softmax] a value of shape [3] came for a layout of 3 rows; needed [3, columns]"}}};
}

OpEntry repeat_entry() {
  auto layout = [](Index batch) {
    std::vector<int> lengths;
    for (int s = 0; s < batch; ++s) lengths.push_back(1 + (s * 3) % 5);
    return batch == 0 ? ops::Layout() : ops::Layout(lengths);
  };
  return {.name = "repeat_over_time",
          .build = [=](Tape&, Inputs x) -> Outputs { return {repeat_over_time(x[0], layout(x[0].rows()))}; },
          .expected =
              [=](Numbers x) {
                const ops::Layout l = layout(x[0].shape()[0]);
                Tensor y({l.rows(), x[0].shape()[1]}, f64);
                for (Index s = 0; s < l.batch(); ++s)
                  for (Index t = 0; t < l.length(s); ++t)
                    for (Index c = 0; c < y.shape()[1]; ++c)
                      y.view<double>()(l.row(s, t), c) = x[0].view<double>()(s, c);
                return std::vector{y};
              },
          .samples = packed_shapes(),
          .bad = {{[](Tape& t) {
                     repeat_over_time(t.zeros({2, 2}), ops::Layout(lengths_of(2)));
                   },
                   "[repeat_over_time] a value of shape [2, 2] came; needed [1, columns]"}}};
}

// -- The three forms of a batch.

Tensor one_after_the_other(const Tensor& packed, const ops::Layout& l) {
  Tensor y(packed.shape(), f64);
  Index next = 0;
  for (Index s = 0; s < l.batch(); ++s)
    for (Index t = 0; t < l.length(s); ++t, ++next)
      for (Index c = 0; c < y.shape()[1]; ++c)
        y.view<double>()(next, c) = packed.view<double>()(l.row(s, t), c);
  return y;
}

const char* const kPackedRows = "a value of shape [4, 2] came for a layout of 3 rows; needed [3, columns]";

std::vector<OpEntry> packing_entries() {
  OpEntry pack{
      .name = "pack_sequences",
      .build = [](Tape&, Inputs x) -> Outputs { return {pack_sequences(x[0], layout_of(x[0].rows()))}; },
      .expected =
          [](Numbers x) {
            const ops::Layout l = layout_of(x[0].shape()[0]);
            Tensor y(x[0].shape(), f64);
            Index next = 0;
            for (Index s = 0; s < l.batch(); ++s)
              for (Index t = 0; t < l.length(s); ++t, ++next)
                for (Index c = 0; c < y.shape()[1]; ++c)
                  y.view<double>()(l.row(s, t), c) = x[0].view<double>()(next, c);
            return std::vector{y};
          },
      .samples = packed_shapes(),
      .bad = {{[](Tape& t) {
                 pack_sequences(t.zeros({4, 2}), ops::Layout(lengths_of(3)));
               },
               std::string("[pack_sequences] ") + kPackedRows},
              {[](Tape& t) {
                 pack_sequences(t.zeros({2, 3, 2}), ops::Layout({4, 2}));
               },
               "[pack_sequences] a value of shape [2, 3, 2] came for a layout of 2 sequences with 4 steps at "
               "most; "
               "needed [2, 4 or more, columns]"}}};
  OpEntry unpack{
      .name = "unpack_sequences",
      .build = [](Tape&, Inputs x) -> Outputs { return {unpack_sequences(x[0], layout_of(x[0].rows()))}; },
      .expected =
          [](Numbers x) { return std::vector{one_after_the_other(x[0], layout_of(x[0].shape()[0]))}; },
      .samples = packed_shapes(),
      .bad = {{[](Tape& t) {
                 unpack_sequences(t.zeros({4, 2}), ops::Layout(lengths_of(3)));
               },
               std::string("[unpack_sequences] ") + kPackedRows}}};
  OpEntry pad{
      .name = "pad_sequences",
      .build = [](Tape&, Inputs x) -> Outputs { return {pad_sequences(x[0], layout_of(x[0].rows()), -1.5)}; },
      .expected =
          [](Numbers x) {
            const ops::Layout l = layout_of(x[0].shape()[0]);
            return std::vector{tabulate({l.batch(), l.steps(), x[0].shape()[1]}, [&](Index r, Index c) {
              const Index s = r / l.steps(), t = r % l.steps();
              return t < l.length(s) ? x[0].view<double>()(l.row(s, t), c) : -1.5;
            })};
          },
      .samples = packed_shapes(),
      .bad = {{[](Tape& t) {
                 pad_sequences(t.zeros({4, 2}), ops::Layout(lengths_of(3)));
               },
               std::string("[pad_sequences] ") + kPackedRows}}};
  // A padded batch, with a step more than it needs.
  OpEntry padded{.name = "pack_sequences of a padded batch",
                 .build = [](Tape&, Inputs x) -> Outputs {
                   std::vector<int> lengths;
                   for (Index s = 0; s < x[0].shape()[0]; ++s)
                     lengths.push_back(static_cast<int>(1 + s % std::max<Index>(x[0].shape()[1] - 1, 1)));
                   return {pack_sequences(x[0], lengths.empty() ? ops::Layout() : ops::Layout(lengths))};
                 },
                 .expected =
                     [](Numbers x) {
                       const Shape& in = x[0].shape();
                       std::vector<int> lengths;
                       for (Index s = 0; s < in[0]; ++s)
                         lengths.push_back(static_cast<int>(1 + s % std::max<Index>(in[1] - 1, 1)));
                       const ops::Layout l = lengths.empty() ? ops::Layout() : ops::Layout(lengths);
                       Tensor y({l.rows(), in[2]}, f64);
                       for (Index s = 0; s < l.batch(); ++s)
                         for (Index t = 0; t < l.length(s); ++t)
                           for (Index c = 0; c < in[2]; ++c)
                             y.view<double>()(l.row(s, t), c) = x[0].view<double>()(s * in[1] + t, c);
                       return std::vector{y};
                     },
                 .samples = {}};
  for (Index batch : {0, 1, 2, 5})
    for (Index steps : {2, 3, 6})
      for (Index cols : {1, 9}) padded.samples.push_back({{batch, steps, cols}});
  padded.samples.push_back({{1, 2, 0}});
  padded.samples.push_back({{1, 1, 1}});
  padded.bad = pack.bad;
  return {pack, unpack, pad, padded};
}

// -- One element a row.

OpEntry pick_entry() {
  auto column = [](Index r, Index cols) { return static_cast<int>((5 * r + 2) % cols); };
  OpEntry entry{.name = "pick",
                .build = [=](Tape&, Inputs x) -> Outputs {
                  std::vector<std::int64_t> columns;
                  for (Index r = 0; r < x[0].shape().rows(); ++r) columns.push_back(column(r, x[0].cols()));
                  return {pick(x[0], columns)};
                },
                .expected =
                    [=](Numbers x) {
                      const Shape& s = x[0].shape();
                      Tensor y(s.without(-1), f64);
                      for (Index r = 0; r < s.rows(); ++r)
                        y.set(r, x[0].view<double>()(r, column(r, s.cols())));
                      return std::vector{y};
                    },
                .samples = {{{3}}, {{1}}, {{2, 3, 4}}, {{2, 2, 2, 3}}},
                .bad = {{[](Tape& t) {
                           pick(t.zeros({2, 3}), {0, 3});
                         },
                         "[pick] column 3 came for row 1 of [2, 3]; needed 0 to 2"},
                        {[](Tape& t) {
                           pick(t.zeros({2, 3}), std::vector<std::int64_t>{0, std::int64_t{1} << 32});
                         },
                         "[pick] column 4294967296 came for row 1 of [2, 3]; needed 0 to 2"},
                        {[](Tape& t) {
                           pick(t.zeros({2, 3}), {0});
                         },
                         "[pick] 1 columns came for 2 rows; needed one for each"},
                        {[](Tape& t) { pick(t.zeros({}), {0}); },
                         "[pick] a scalar came; needed a value with columns"}}};
  for (Index rows : {0, 1, 2, 7})
    for (Index cols : {1, 2, 5, 17}) entry.samples.push_back({{rows, cols}});
  return entry;
}

// -- Gather: every row but each third one, some of them twice, out of order.

std::vector<int> indices_of(Index rows) {
  std::vector<int> indices;
  for (Index i = 0; i < (rows == 0 ? 0 : rows + 3); ++i)
    if (const auto v = static_cast<int>((5 * i + 2) % rows); rows < 3 || v % 3 != 1) indices.push_back(v);
  return indices;
}

OpEntry gather_entry() {
  return {.name = "gather_rows",
          .build = [](Tape&, Inputs x) -> Outputs { return {gather_rows(x[0], indices_of(x[0].rows()))}; },
          .expected =
              [](Numbers x) {
                const std::vector<int> indices = indices_of(x[0].shape()[0]);
                return std::vector{
                    tabulate({static_cast<Index>(indices.size()), x[0].shape()[1]}, [&](Index r, Index c) {
                      return x[0].view<double>()(indices[static_cast<std::size_t>(r)], c);
                    })};
              },
          .samples = packed_shapes(),
          .bad = {{[](Tape& t) {
                     gather_rows(t.zeros({4, 2}), std::vector{0, 3, 4});
                   },
                   "[gather_rows] index 4 at position 2 came for a table of 4 rows; needed 0 to 3"},
                  {[](Tape& t) {
                     gather_rows(t.zeros({4, 2}), std::vector{-1});
                   },
                   "[gather_rows] index -1 at position 0 came for a table of 4 rows; needed 0 to 3"},
                  {[](Tape& t) { gather_rows(t.zeros({4}), std::vector{0}); },
                   "[gather_rows] a table of shape [4] came; needed [rows, columns]"}}};
}

// -- Dropout. The mask is what becomes of ones; dropout_test.cpp says what it has to be.

constexpr double kProbability = 0.4;

template <class Drop>
OpEntry dropout_entry(std::string name, Drop drop, Samples samples) {
  return {.name = name,
          .build = [drop](Tape&, Inputs x) -> Outputs {
            Generator generator(11);
            return {drop(x[0], generator)};
          },
          .expected =
              [drop](Numbers x) {
                Tape tape(f64);
                Generator generator(11);
                const Tensor mask = drop(tape.full(x[0].shape(), 1), generator).tensor();
                Tensor y = x[0];
                for (Index i = 0; i < y.size(); ++i) y.set(i, x[0].at(i) * mask.at(i));
                return std::vector{y};
              },
          .samples = std::move(samples)};
}

std::vector<OpEntry> dropout_entries() {
  Samples samples = packed_shapes();
  samples.insert(samples.end(), {{{}}, {{300}}, {{2, 3, 100}}});
  OpEntry plain = dropout_entry(
      "dropout", [](Var x, Generator& g) { return dropout(x, kProbability, g); }, samples);
  plain.bad = {
      {[](Tape& t) {
         Generator g;
         dropout(t.zeros({2}), 1, g);
       },
       "[dropout] a probability of 1 came; needed 0 <= probability < 1"},
      {[](Tape& t) {
         Generator g;
         dropout_mask(t, {2}, -0.5, g);
       },
       "[dropout_mask] a probability of -0.5 came; needed 0 <= probability < 1"},
      {[](Tape& t) {
         dropout(t.zeros({3, 2}), t.zeros({2, 2}));
       },
       "[dropout] a mask of shape [2, 2] came for a value of shape [3, 2]; needed as many rows or more, "
       "and equal extents otherwise"}};
  OpEntry variational = dropout_entry(
      "variational_dropout",
      [](Var x, Generator& g) { return variational_dropout(x, layout_of(x.rows()), kProbability, g); },
      packed_shapes());
  variational.bad = {
      {[](Tape& t) {
         Generator g;
         variational_dropout(t.zeros({4, 2}), ops::Layout(lengths_of(3)), 0.5, g);
       },
       "[variational_dropout] a value of shape [4, 2] came for a layout of 3 rows; needed [3, columns]"}};
  return {plain, variational};
}

}  // namespace

std::vector<OpEntry> segment_ops() {
  using ops::Layout;
  auto mean = [](const std::vector<double>& steps) {
    return total(steps) / static_cast<double>(steps.size());
  };
  auto highest = [](const std::vector<double>& steps) { return *std::ranges::max_element(steps); };
  OpEntry last = pooling_entry(
      "last_rows", [](Var x, const Layout& l) { return last_rows(x, l, SourceLocation::current()); },
      [](const std::vector<double>& steps) { return steps.back(); });
  last.bad[0].message = "[last_rows] a value of shape [4, 2] came; needed [3, columns]";
  std::vector<OpEntry> entries{
      pooling_entry(
          "segment_sum", [](Var x, const Layout& l) { return segment_sum(x, l); }, total),
      pooling_entry(
          "segment_mean", [](Var x, const Layout& l) { return segment_mean(x, l); }, mean),
      pooling_entry(
          "segment_max", [](Var x, const Layout& l) { return segment_max(x, l); }, highest),
      pooling_entry(
          "segment_logsumexp", [](Var x, const Layout& l) { return segment_logsumexp(x, l); },
          [](const std::vector<double>& steps) {
            double sum = 0;
            for (double x : steps) sum += std::exp(x);
            return std::log(sum);
          }),
      last,
      pick_entry(),
      weighted_entry(),
      segment_softmax_entry(),
      repeat_entry(),
      gather_entry()};
  for (OpEntry& entry : dropout_entries()) entries.push_back(std::move(entry));
  for (OpEntry& entry : packing_entries()) entries.push_back(std::move(entry));
  return entries;
}

}  // namespace unroll::tests
