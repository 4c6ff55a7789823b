#include "ops/concat.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "autograd/op.h"
#include "ops/axis.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

namespace {

// Pieces one after the other: below each other, each with all columns of the result, or side by side, each
// with all of its rows.
struct Concat {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const char* label;
  Shape result;
  bool side_by_side;

  Shape shape(const Inputs&) const { return result; }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<T> out = context.out();
    Index begin = 0;
    for (int i = 0; i < context.inputs(); ++i) {
      const View<const T> piece = context.in(i);
      copy_rows(piece, part(out, begin, piece.shape));
    }
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    Index begin = 0;
    for (int i = 0; i < context.inputs(); ++i) {
      const View<const T> d = part(d_out, begin, context.in_shape(i));
      if (context.wants(i)) put_rows(d, context.d_in(i));
    }
  }

  autograd::Work work(const autograd::Application&, autograd::Phase phase, autograd::Work usual) const {
    return {phase == autograd::Phase::forward ? 0 : usual.operations, usual.bytes};  // a copy
  }

 private:
  // The part of `all` that begins there; goes on to the next.
  template <class T>
  View<T> part(const View<T>& all, Index& begin, const Shape& shape) const {
    const Index at = begin;
    begin += side_by_side ? shape.cols() : shape.rows();
    return rectangle(all, side_by_side ? 0 : at, side_by_side ? at : 0, shape);
  }
};

Tape& tape_of(const char* op, std::span<const Var> pieces, SourceLocation location) {
  if (pieces.empty()) autograd::fail(op, "no values came; needed at least one", location);
  for (Var x : pieces) pieces[0].tape(location).check(x, op, location);
  return pieces[0].tape(location);
}

}  // namespace

Var concat(std::span<const Var> pieces, int axis, SourceLocation location) {
  Tape& tape = tape_of("concat", pieces, location);
  const Shape first = pieces[0].shape();
  axis = front_axis("concat", axis, first, location);
  Index total = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Shape& s = pieces[i].shape();
    if (s.rank() != first.rank() || s.with(axis, 0) != first.with(axis, 0))
      autograd::fail(
          "concat",
          fmt::format("value {} has shape {} and the first {}; needed equal extents but for axis {}", i,
                      to_string(s), to_string(first), axis),
          location);
    total += s[axis];
  }
  const Shape result = first.with(axis, total);
  const bool last = axis == first.rank() - 1;
  if (last || axis == 0) return tape.record(Concat{"concat", result, last}, pieces, location)[0];

  // In between: what lies behind the axis becomes the columns.
  const Surroundings around(first, axis);
  auto* flat = tape.arena().allocate_array<Var>(pieces.size());
  std::uninitialized_default_construct_n(flat, pieces.size());
  std::ranges::transform(pieces, flat, [&](Var x) {
    return tape.reshape(contiguous(x, location), Shape{around.before, x.shape()[axis] * around.after});
  });
  const Concat op{"concat", Shape{around.before, total * around.after}, true};
  return tape.reshape(tape.record(op, std::span<const Var>(flat, pieces.size()), location)[0], result);
}

Var stack(std::span<const Var> pieces, SourceLocation location) {
  Tape& tape = tape_of("stack", pieces, location);
  const Shape each = pieces[0].shape();
  if (each.rank() == Shape::kMaxRank)
    autograd::fail("stack", fmt::format("values of shape {} came; needed rank 3 at most", to_string(each)),
                   location);
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (pieces[i].shape() != each)
      autograd::fail("stack",
                     fmt::format("value {} has shape {} and the first {}; needed equal shapes", i,
                                 to_string(pieces[i].shape()), to_string(each)),
                     location);
  const auto count = static_cast<Index>(pieces.size());
  const Shape result = each.rank() == 0   ? Shape{count}
                       : each.rank() == 1 ? Shape{count, each[0]}
                       : each.rank() == 2 ? Shape{count, each[0], each[1]}
                                          : Shape{count, each[0], each[1], each[2]};
  return tape.record(Concat{"stack", result, each.rank() == 0}, pieces, location)[0];
}

Var concat(std::initializer_list<Var> pieces, int axis, SourceLocation location) {
  return concat(std::span(pieces.begin(), pieces.size()), axis, location);
}
Var stack(std::initializer_list<Var> pieces, SourceLocation location) {
  return stack(std::span(pieces.begin(), pieces.size()), location);
}

Var contiguous(Var x, SourceLocation location) {
  Tape& tape = x.tape(location);
  const autograd::Value& v = tape.value(x.index());
  if (v.stride == v.shape.cols() || v.shape.rows() <= 1) return x;
  return tape.record(Concat{"contiguous", v.shape, false}, {x}, location);
}

}  // namespace unroll::ops
