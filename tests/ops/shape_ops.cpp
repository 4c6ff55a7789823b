// Ops that only move values: concat and what is made of it, views, transpose.
#include <cmath>

#include "autograd/gradient_check.h"
#include "ops/concat.h"
#include "ops/elementwise.h"
#include "ops/sub_pass.h"
#include "ops/transpose.h"
#include "ops/views.h"
#include "tests/ops/axes.h"
#include "tests/ops/op_table.h"

namespace unroll::tests {

namespace {

using Samples = std::vector<std::vector<Shape>>;

// `x[i]` one after the other along an axis.
Tensor joined(Numbers x, int axis) {
  Index extent = 0;
  for (const Tensor& t : x) extent += t.shape()[axis];
  Tensor result(x[0].shape().with(axis, extent), f64);
  const AlongAxis to(result.shape(), axis);
  Index begin = 0;
  for (const Tensor& t : x) {
    const AlongAxis from(t.shape(), axis);
    for (Index b = 0; b < from.before; ++b)
      for (Index k = 0; k < from.extent; ++k)
        for (Index a = 0; a < from.after; ++a) result.set(to(b, begin + k, a), t.at(from(b, k, a)));
    begin += from.extent;
  }
  return result;
}

Tensor part(const Tensor& x, int axis, Index begin, Index end) {
  const AlongAxis from(x.shape(), axis);
  Tensor result(x.shape().with(axis, end - begin), f64);
  const AlongAxis to(result.shape(), axis);
  for (Index b = 0; b < to.before; ++b)
    for (Index k = 0; k < to.extent; ++k)
      for (Index a = 0; a < to.after; ++a) result.set(to(b, k, a), x.at(from(b, begin + k, a)));
  return result;
}

const Samples any_shapes{{{1}},          {{3}},          {{16}},         {{0, 3}},       {{3, 0}},
                         {{1, 1}},       {{1, 5}},       {{4, 1}},       {{3, 4}},       {{5, 17}},
                         {{2, 3, 4}},    {{3, 1, 5}},    {{1, 4, 1}},    {{2, 0, 3}},    {{2, 5, 16}},
                         {{2, 3, 2, 3}}, {{1, 2, 3, 1}}, {{3, 2, 1, 4}}, {{2, 2, 0, 2}}, {{4, 7}}};

// Three values that differ in the extent of the axis.
OpEntry concat_entry(int axis) {
  Samples samples;
  for (const auto& shapes : any_shapes)
    for (Index change : {0, 1})
      if (const Shape& s = shapes[0]; axis < s.rank())
        samples.push_back({s, s.with(axis, s[axis] + change), s.with(axis, 2 * change)});
  for (Index n = 0; samples.size() < 20; ++n) {
    const Shape s{2, 1, 2, 3};
    samples.push_back({s.with(axis, n), s, s.with(axis, 4)});
  }
  samples.push_back({Shape{1, 1, 1, 1}, Shape{1, 1, 1, 1}});
  return {.name = "concat along axis " + std::to_string(axis),
          .build = [=](Tape&, Inputs x) -> Outputs { return {concat(x, axis)}; },
          .expected = [=](Numbers x) { return std::vector{joined(x, axis)}; },
          .samples = samples,
          .bad = {{[=](Tape& t) {
                     concat({t.zeros({2, 2, 2, 2}), t.zeros({3, 3, 3, 3})}, axis);
                   },
                   "[concat] value 1 has shape [3, 3, 3, 3] and the first [2, 2, 2, 2]; needed equal extents "
                   "but for axis " +
                       std::to_string(axis)}}};
}

OpEntry stack_entry() {
  Samples samples{{{}, {}, {}}};
  for (const auto& shapes : any_shapes)
    if (const Shape& s = shapes[0]; s.rank() < 4) samples.push_back({s, s, s});
  for (Index n : {1, 2, 3, 6}) samples.push_back({{n, 2}, {n, 2}});
  return {.name = "stack",
          .build = [](Tape&, Inputs x) -> Outputs { return {stack(x)}; },
          .expected =
              [](Numbers x) {
                std::vector<double> all;
                for (const Tensor& t : x)
                  for (double v : t.values()) all.push_back(v);
                const Shape& s = x[0].shape();
                const auto n = static_cast<Index>(x.size());
                const Shape result = s.rank() == 0   ? Shape{n}
                                     : s.rank() == 1 ? Shape{n, s[0]}
                                     : s.rank() == 2 ? Shape{n, s[0], s[1]}
                                                     : Shape{n, s[0], s[1], s[2]};
                return std::vector{Tensor::from(result, all, f64)};
              },
          .samples = samples,
          .bad = {{[](Tape& t) {
                     stack({t.zeros({2}), t.zeros({3})});
                   },
                   "[stack] value 1 has shape [3] and the first [2]; needed equal shapes"},
                  {[](Tape& t) {
                     stack({t.zeros({1, 1, 1, 1})});
                   },
                   "[stack] values of shape [1, 1, 1, 1] came; needed rank 3 at most"}}};
}

// Four rectangles, out of order.
// Along each axis: the middle (contiguous, as the driver wants results), and a split into the first element
// and the rest.
OpEntry slice_entry() {
  return {
      .name = "slice and split",
      .build = [](Tape&, Inputs x) -> Outputs {
        Outputs out;
        const Shape s = x[0].shape();
        for (int axis = 0; axis < s.rank(); ++axis) {
          out.push_back(contiguous(slice(x[0], axis - s.rank(), s[axis] / 3, s[axis] - s[axis] / 4)));
          const Index first = std::min<Index>(1, s[axis]);
          for (Var piece : split(x[0], {first, s[axis] - first}, axis)) out.push_back(contiguous(piece));
        }
        return out;
      },
      .expected =
          [](Numbers x) {
            std::vector<Tensor> out;
            const Shape s = x[0].shape();
            for (int axis = 0; axis < s.rank(); ++axis) {
              out.push_back(part(x[0], axis, s[axis] / 3, s[axis] - s[axis] / 4));
              const Index first = std::min<Index>(1, s[axis]);
              out.push_back(part(x[0], axis, 0, first));
              out.push_back(part(x[0], axis, first, s[axis]));
            }
            return out;
          },
      .samples = any_shapes,
      .bad = {{[](Tape& t) {
                 slice(t.zeros({2, 3, 4}), 1, 2, 4);
               },
               "[slice] elements 2 to 4 along axis 1 of a value of shape [2, 3, 4] came; needed 0 <= begin "
               "<= end <= 3"},
              {[](Tape& t) { slice(t.zeros({2}), 1, 0, 1); },
               "[slice] axis 1 of a value of shape [2] came; needed -1 to 0"},
              {[](Tape& t) {
                 split(t.zeros({2, 3}), {1, 1}, 1);
               },
               "[split] sizes that add up to 2 came for axis 1 of a value of shape [2, 3]; needed 3"},
              {[](Tape& t) {
                 split(t.zeros({2, 3}), {4, -1}, 1);
               },
               "[split] a size of -1 came; needed none below 0"},
              {[](Tape& t) {
                 split<4>(t.zeros({2, 6}));
               },
               "[split] a value of shape [2, 6] came; needed a number of columns divisible by 4"},
              {[](Tape& t) {
                 rows(t.zeros({2, 6}), 1, 2);
               },
               "[rows] 2 rows from 1 on of a value of shape [2, 6] came; needed 0 <= begin and begin + count "
               "<= 2"},
              {[](Tape& t) {
                 columns(t.zeros({2, 6}), 1, 6);
               },
               "[columns] 6 columns from 1 on of a value of shape [2, 6] came; needed 0 <= begin and begin + "
               "count <= 6"},
              {[](Tape& t) {
                 reshape(t.zeros({2, 6}), {5});
               },
               "[reshape] 12 elements of shape [2, 6] came for shape [5]; needed 5"}}};
}

OpEntry transpose_entry() {
  Samples samples{{{1, 1}},       {{1, 5}},    {{5, 1}},       {{3, 4}},        {{0, 3}},
                  {{3, 0}},       {{16, 16}},  {{33, 31}},     {{40, 65}},      {{7, 2}},
                  {{2, 3, 4}},    {{1, 4, 3}}, {{3, 1, 5}},    {{0, 2, 3}},     {{2, 0, 3}},
                  {{2, 3, 4, 5}}, {{2, 2}},    {{1, 2, 3, 1}}, {{2, 1, 33, 3}}, {{8, 17}}};
  return {.name = "transpose",
          .build = [](Tape&, Inputs x) -> Outputs { return {transpose(x[0])}; },
          .expected =
              [](Numbers x) {
                const Shape& s = x[0].shape();
                Tensor y(s.with(-1, s[-2]).with(-2, s[-1]), f64);
                for (Index i = 0; i < s.size(); ++i) {
                  const Index matrix = i / (s[-1] * s[-2]), r = i / s[-1] % s[-2], c = i % s[-1];
                  y.set((matrix * s[-1] + c) * s[-2] + r, x[0].at(i));
                }
                return std::vector{y};
              },
          .samples = samples,
          .bad = {{[](Tape& t) { transpose(t.zeros({4})); },
                   "[transpose] a value of shape [4] came; needed rank 2 or more"}}};
}

// Through a copy where the slice of columns has gaps.
OpEntry contiguous_entry() {
  return {
      .name = "contiguous",
      .build = [](Tape&, Inputs x) -> Outputs { return {reshape(contiguous(x[0]), {x[0].shape().size()})}; },
      .expected = [](Numbers x) { return std::vector{Tensor::from({x[0].size()}, x[0].values(), f64)}; },
      .samples = any_shapes,
      .cannot_be_bad = "takes every value"};
}

// x y and x + y as two results of one part, and what the part does wrong.
struct ProductAndSum {
  void operator()(Tape&, Inputs x, std::span<Var> out) const {
    out[0] = x[0] * x[1];
    out[1] = tanh(x[0]) + x[1];
  }
};

OpEntry recompute_entry() {
  Samples samples;
  for (const auto& shapes : any_shapes) samples.push_back({shapes[0], shapes[0]});
  return {.name = "recompute",
          .build = [](Tape& tape, Inputs x) -> Outputs {
            const Shape shapes[] = {x[0].shape(), x[0].shape()};
            Outputs out(2);
            ops::recompute(tape, x, shapes, ProductAndSum(), out);
            return out;
          },
          .expected =
              [](Numbers x) {
                std::vector<Tensor> out(2, x[0]);
                for (Index i = 0; i < x[0].size(); ++i) {
                  out[0].set(i, x[0].at(i) * x[1].at(i));
                  out[1].set(i, std::tanh(x[0].at(i)) + x[1].at(i));
                }
                return out;
              },
          .samples = samples,
          .bad = {{[](Tape& t) {
                     const Var x[] = {t.zeros({2, 2}), t.zeros({2, 2})};
                     const Shape shapes[] = {{2, 2}, {2, 3}};
                     Var out[2];
                     ops::recompute(t, x, shapes, ProductAndSum(), out);
                   },
                   "[recompute] result 1 is of shape [2, 2]; needed [2, 3], as was said"},
                  {[](Tape& t) {
                     const Var x = t.zeros({2, 2});
                     ops::recompute(t, {&x, 1}, {}, ProductAndSum(), {});
                   },
                   "[recompute] a part of 1 inputs, 0 shapes and 0 results came; needed 32 inputs at most, "
                   "and as many "
                   "results as shapes, one or more"}}};
}

// Two parts with a result and two: x y; x + y and tanh(x).
struct ThreeResults {
  void operator()(int part, Tape&, Inputs x, std::span<Var> out) const {
    if (part == 0) {
      out[0] = x[0] * x[1];
    } else {
      out[0] = x[0] + x[1];
      out[1] = tanh(x[0]);
    }
  }
};

OpEntry parallel_entry() {
  Samples samples;
  for (const auto& shapes : any_shapes) samples.push_back({shapes[0], shapes[0]});
  return {.name = "parallel",
          .build = [](Tape& tape, Inputs x) -> Outputs {
            const std::vector<Shape> shapes(2, x[0].shape());
            Outputs out(3);
            ops::parallel(
                tape, x,
                {{std::span(shapes).first(1), std::span(out).first(1)}, {shapes, std::span(out).last(2)}},
                ThreeResults());
            return out;
          },
          .expected =
              [](Numbers x) {
                std::vector<Tensor> out(3, x[0]);
                for (Index i = 0; i < x[0].size(); ++i) {
                  out[0].set(i, x[0].at(i) * x[1].at(i));
                  out[1].set(i, x[0].at(i) + x[1].at(i));
                  out[2].set(i, std::tanh(x[0].at(i)));
                }
                return out;
              },
          .samples = samples,
          .bad = {{[](Tape& t) {
                     const Var x[] = {t.zeros({2, 2}), t.zeros({2, 2})};
                     const Shape shapes[] = {{2, 2}, {2, 3}};
                     Var out[3];
                     ops::parallel(t, x, {{{shapes, 1}, {out, 1}}, {shapes, {out + 1, 2}}}, ThreeResults());
                   },
                   "[parallel] result 1 is of shape [2, 2]; needed [2, 3], as was said"},
                  {[](Tape& t) {
                     const Var x = t.zeros({2, 2});
                     const Shape shape{2, 2};
                     ops::parallel(t, {&x, 1}, {{{&shape, 1}, {}}}, ThreeResults());
                   },
                   "[parallel] a part of 1 inputs, 1 shapes and 0 results came; needed 32 inputs at most, "
                   "and as many results "
                   "as shapes, one or more"}}};
}

// What gradient checks give to the functions that they check.
OpEntry donated_copy_entry() {
  Samples samples{{{}}, {{1}}, {{0}}, {{2, 3, 4}}};
  for (Index rows : {0, 1, 2, 5})
    for (Index cols : {0, 1, 8, 19}) samples.push_back({{rows, cols}});
  return {.name = "copy",
          .build = [](Tape&, Inputs x) -> Outputs { return {autograd::detail::donated_copy(x[0]) * 1.0}; },
          .expected = [](Numbers x) { return std::vector{x[0]}; },
          .samples = samples,
          .bad = {{[](Tape&) { autograd::detail::donated_copy(Var()); },
                   "[value] an empty handle came; needed one that an op or a tape gave"}}};
}

}  // namespace

std::vector<OpEntry> shape_ops() {
  OpEntry concat_0 = concat_entry(0);
  concat_0.bad = {
      {[](Tape& t) {
         concat({t.zeros({2, 3}), t.zeros({2, 4})}, 0);
       },
       "[concat] value 1 has shape [2, 4] and the first [2, 3]; needed equal extents but for axis 0"},
      {[](Tape& t) {
         concat({t.zeros({2, 3}), t.zeros({2, 3, 1})}, 1);
       },
       "[concat] value 1 has shape [2, 3, 1] and the first [2, 3]; needed equal extents but for "
       "axis 1"},
      {[](Tape&) { concat({}, 1); }, "[concat] no values came; needed at least one"},
      {[](Tape& t) {
         concat({t.zeros({2, 3})}, 2);
       },
       "[concat] axis 2 of a value of shape [2, 3] came; needed -2 to 1"}};
  return {concat_0,          concat_entry(1),  concat_entry(2),     concat_entry(3),
          stack_entry(),     slice_entry(),    transpose_entry(),   contiguous_entry(),
          recompute_entry(), parallel_entry(), donated_copy_entry()};
}

}  // namespace unroll::tests
