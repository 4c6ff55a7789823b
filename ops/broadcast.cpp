#include "ops/broadcast.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ops/pointwise.h"
#include "ops/simd/row_kernels.h"
#include "ops/simd/softmax_rows.h"

namespace unroll::ops {

namespace {

constexpr int kRank = Shape::kMaxRank;

// Extent `axis` of a shape with as many extents of 1 before it as make it four.
Index aligned(const Shape& s, int axis) {
  const int own = axis - (kRank - s.rank());
  return own < 0 ? 1 : s[own];
}

struct BroadcastTo {
  static constexpr const char* name = "broadcast_to";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  Shape result;

  Shape shape(const Inputs& in) const {
    bool fits = in[0].rank() <= result.rank();
    for (int axis = 0; axis < kRank; ++axis)
      fits = fits && (aligned(in[0], axis) == aligned(result, axis) || aligned(in[0], axis) == 1);
    if (!fits)
      in.reject(
          fmt::format("a value of shape {} came; needed extents that are those of {} or 1, from the last "
                      "one on",
                      to_string(in[0]), to_string(result)));
    return result;
  }

  // f(row of the operand, row of the result), in the order of the result's rows
  template <class F>
  void each_row(const Shape& x, F f) const {
    std::array<Index, 3> step{}, extent{};
    for (int axis = 2, below = 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      extent[a] = aligned(result, axis);
      step[a] = aligned(x, axis) == 1 ? 0 : below;
      below *= static_cast<int>(aligned(x, axis));
    }
    Index row = 0;
    for (Index i = 0; i < extent[0]; ++i)
      for (Index j = 0; j < extent[1]; ++j)
        for (Index k = 0; k < extent[2]; ++k) f(i * step[0] + j * step[1] + k * step[2], row++);
  }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    if (context.dry()) return;
    each_row(x.shape, [&](Index from, Index to) {
      if (x.cols() == out.cols())
        std::copy_n(x.row(from), out.cols(), out.row(to));
      else
        std::fill_n(out.row(to), out.cols(), *x.row(from));
    });
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    const Into<T> d_in = context.d_in(0);
    const Index cols = d_in.view.cols();
    const autograd::Scratch<double> sums(context.tape().pool(), d_in.view.size());
    if (context.dry()) return;
    std::fill_n(sums.data(), d_in.view.size(), 0.0);
    each_row(d_in.view.shape, [&](Index to, Index from) {
      double* sum = sums.data() + to * cols;
      if (cols == d_out.cols())
        for (Index c = 0; c < cols; ++c) sum[c] += static_cast<double>(d_out.row(from)[c]);
      else
        *sum += static_cast<double>(row_sum(d_out.row(from), d_out.cols()));
    });
    for (Index r = 0; r < d_in.view.rows(); ++r)
      put_row(d_in.view.row(r), cols, d_in.fresh,
              [sum = sums.data() + r * cols](Index c) { return static_cast<T>(sum[c]); });
  }
};

}  // namespace

Var broadcast_to(Var x, const Shape& shape, SourceLocation location) {
  return x.tape(location).record(BroadcastTo{shape}, {x}, location);
}

std::optional<Shape> common_shape(std::span<const Shape> shapes) {
  int rank = 0;
  for (const Shape& s : shapes) rank = std::max(rank, s.rank());
  std::array<Index, kRank> extents{};
  for (int axis = 0; axis < kRank; ++axis) {
    Index& extent = extents[static_cast<std::size_t>(axis)];
    extent = 1;
    for (const Shape& s : shapes)
      if (const Index own = aligned(s, axis); own != 1) {
        if (extent != 1 && extent != own) return {};
        extent = own;
      }
  }
  switch (rank) {
    case 0:
      return Shape{};
    case 1:
      return Shape{extents[3]};
    case 2:
      return Shape{extents[2], extents[3]};
    case 3:
      return Shape{extents[1], extents[2], extents[3]};
    default:
      return Shape{extents[0], extents[1], extents[2], extents[3]};
  }
}

}  // namespace unroll::ops
