#include "ops/paste.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <memory>

#include "ops/axis.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

namespace {

// How often an element is covered is the sum over all corners above and left of it, if a rectangle counts +1
// at its first element, -1 right of its first row, -1 below its first column and +1 diagonally behind its
// last element. Where the sums of all corners at one point vanish against those of the result, all is
// covered once; at the first point, in order of rows, where they do not, they tell by how much it is not.
struct Corner {
  Index row, column, weight;
  auto operator<=>(const Corner&) const = default;
};

Corner* put_corners(Corner* to, Place p, const Shape& s, Index weight) {
  *to++ = {p.row, p.column, weight};
  *to++ = {p.row, p.column + s.cols(), -weight};
  *to++ = {p.row + s.rows(), p.column, -weight};
  *to++ = {p.row + s.rows(), p.column + s.cols(), weight};
  return to;
}

struct Paste {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const char* label;
  const Place* places;
  Shape result;
  Corner* corners;  // memory for four of each piece and of the result; nullptr if the places were computed

  Shape shape(const Inputs& in) const {
    Index covered = 0;
    for (int i = 0; i < in.size(); ++i) {
      const Place p = places[i];
      covered += in[i].size();
      if (p.row < 0 || p.column < 0 || p.row + in[i].rows() > result.rows() ||
          p.column + in[i].cols() > result.cols())
        in.reject(
            fmt::format("piece {} of shape {} came for row {}, column {} of a result of shape {}; needed it "
                        "to lie inside",
                        i, to_string(in[i]), p.row, p.column, to_string(result)));
    }
    if (covered != result.size())
      in.reject(
          fmt::format("{} pieces of {} elements in all came for a result of shape {}; needed {} elements",
                      in.size(), covered, to_string(result), result.size()));
    if (corners) check_cover(in);
    return result;
  }
  void check_cover(const Inputs& in) const {
    Corner* end = put_corners(corners, {0, 0}, result, -1);
    for (int i = 0; i < in.size(); ++i) end = put_corners(end, places[i], in[i], 1);
    std::sort(corners, end);
    for (const Corner* c = corners; c != end;) {
      const Corner at = *c;
      Index difference = 0;
      for (; c != end && c->row == at.row && c->column == at.column; ++c) difference += c->weight;
      if (difference != 0)
        in.reject(fmt::format(
            "row {}, column {} of the result is covered by {} pieces; needed one for each element", at.row,
            at.column, difference + 1));
    }
  }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<T> out = context.out();
    for (int i = 0; i < context.inputs(); ++i) {
      const View<const T> piece = context.in(i);
      copy_rows(piece, rectangle(out, places[i].row, places[i].column, piece.shape));
    }
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    for (int i = 0; i < context.inputs(); ++i)
      if (context.wants(i))
        put_rows(rectangle(d_out, places[i].row, places[i].column, context.in_shape(i)), context.d_in(i));
  }
  autograd::Work work(const autograd::Application&, autograd::Phase phase, autograd::Work usual) const {
    return {phase == autograd::Phase::forward ? 0 : usual.operations, usual.bytes};  // a copy
  }
};

// Lists that live as long as the pass: a step of training asks nothing of the heap.
template <class T>
std::span<T> list_of(Tape& tape, std::size_t count) {
  T* items = tape.arena().allocate_array<T>(count);
  std::uninitialized_value_construct_n(items, count);
  return {items, count};
}

// `places` must live as long as the pass.
Var record_paste(const char* label, Tape& tape, std::span<const Var> pieces, std::span<const Place> places,
                 const Shape& result, SourceLocation location, Corner* corners = nullptr) {
  return tape.record(Paste{label, places.data(), result, corners}, pieces, location)[0];
}

std::span<const Place> kept(Tape& tape, std::span<const Place> places) {
  const std::span<Place> copy = list_of<Place>(tape, places.size());
  std::ranges::copy(places, copy.begin());
  return copy;
}

Tape& tape_of(const char* op, std::span<const Var> pieces, SourceLocation location) {
  if (pieces.empty()) autograd::fail(op, "no values came; needed at least one", location);
  for (Var x : pieces) pieces[0].tape(location).check(x, op, location);
  return pieces[0].tape(location);
}

// Joins along the last axis, or along the first, where `columns` and `rows` do the same for pieces one after
// the other.
Var join(Tape& tape, std::span<const Var> pieces, bool along_columns, const Shape& result,
         SourceLocation location) {
  const std::span<Place> places = list_of<Place>(tape, pieces.size());
  Place next{0, 0};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    places[i] = next;
    (along_columns ? next.column : next.row) += along_columns ? pieces[i].cols() : pieces[i].rows();
  }
  return record_paste("concat", tape, pieces, places, result, location);
}

}  // namespace

Var paste(Tape& tape, std::span<const Var> pieces, std::span<const Place> places, const Shape& result,
          SourceLocation location) {
  if (pieces.size() != places.size())
    autograd::fail("paste",
                   fmt::format("{} pieces and {} places came; needed one place for each piece", pieces.size(),
                               places.size()),
                   location);
  Corner* corners = tape.arena().allocate_array<Corner>(4 * (pieces.size() + 1));
  return record_paste("paste", tape, pieces, kept(tape, places), result, location, corners);
}

Var detail::paste_computed(Tape& tape, std::span<const Var> pieces, std::span<const Place> places,
                           const Shape& result, SourceLocation location) {
  return record_paste("paste", tape, pieces, kept(tape, places), result, location);
}

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
  if (axis == first.rank() - 1) return join(tape, pieces, true, result, location);
  if (axis == 0) return join(tape, pieces, false, result, location);

  // In between: what lies behind the axis becomes the columns.
  const Surroundings around(first, axis);
  const std::span<Var> flat = list_of<Var>(tape, pieces.size());
  std::ranges::transform(pieces, flat.begin(), [&](Var x) {
    return tape.reshape(contiguous(x, location), Shape{around.before, x.shape()[axis] * around.after});
  });
  return tape.reshape(join(tape, flat, true, Shape{around.before, total * around.after}, location), result);
}

Var stack(std::span<const Var> pieces, SourceLocation location) {
  Tape& tape = tape_of("stack", pieces, location);
  const Shape each = pieces[0].shape();
  if (each.rank() == Shape::kMaxRank)
    autograd::fail("stack", fmt::format("values of shape {} came; needed rank 3 at most", to_string(each)),
                   location);
  const std::span<Place> places = list_of<Place>(tape, pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto n = static_cast<Index>(i);
    if (pieces[i].shape() != each)
      autograd::fail("stack",
                     fmt::format("value {} has shape {} and the first {}; needed equal shapes", i,
                                 to_string(pieces[i].shape()), to_string(each)),
                     location);
    places[i] = each.rank() == 0 ? Place{0, n} : Place{n * each.rows(), 0};
  }
  const auto count = static_cast<Index>(pieces.size());
  const Shape result = each.rank() == 0   ? Shape{count}
                       : each.rank() == 1 ? Shape{count, each[0]}
                       : each.rank() == 2 ? Shape{count, each[0], each[1]}
                                          : Shape{count, each[0], each[1], each[2]};
  return record_paste("stack", tape, pieces, places, result, location);
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
  return record_paste("contiguous", tape, {&x, 1}, list_of<Place>(tape, 1), v.shape, location);
}

}  // namespace unroll::ops
