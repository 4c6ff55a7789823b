#include "ops/transpose.h"

#include <fmt/format.h>

#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

namespace {

// to(c, r) = from(r, c), or added, in square tiles that stay in the first-level cache.
template <class T>
void transpose_matrix(View<const T> from, View<T> to, bool fresh) {
  constexpr Index kTile = 32;
  const Index rows = from.rows(), cols = from.cols();
  for (Index r0 = 0; r0 < rows; r0 += kTile)
    for (Index c0 = 0; c0 < cols; c0 += kTile)
      for (Index c = c0; c < std::min(c0 + kTile, cols); ++c)
        put_row(to.row(c) + r0, std::min(kTile, rows - r0), fresh, [&](Index r) { return from(r0 + r, c); });
}

// The same for each matrix of a stack of them.
template <class T>
void transpose_all(View<const T> from, View<T> to, bool fresh) {
  const Shape &s = from.shape, matrix{s[-2], s[-1]}, transposed{s[-1], s[-2]};
  const Index count = matrix.size() == 0 ? 0 : s.size() / matrix.size();
  for (Index i = 0; i < count; ++i)
    transpose_matrix(rectangle(from, i * s[-2], 0, matrix), rectangle(to, i * s[-1], 0, transposed), fresh);
}

struct Transposition {
  static constexpr const char* name = "transpose";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  Shape shape(const Inputs& in) const {
    const Shape& x = in[0];
    if (x.rank() < 2) in.reject(fmt::format("a value of shape {} came; needed rank 2 or more", to_string(x)));
    return x.with(-2, x[-1]).with(-1, x[-2]);
  }
  template <class T>
  void forward(Forward<T>& context) const {
    transpose_all(context.in(0), context.out(), true);
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const Into<T> d_in = context.d_in(0);
    transpose_all(context.d_out(), d_in.view, d_in.fresh);
  }
  autograd::Work work(const autograd::Application&, autograd::Phase phase, autograd::Work usual) const {
    return {phase == autograd::Phase::forward ? 0 : usual.operations, usual.bytes};  // a copy
  }
};

}  // namespace

Var transpose(Var x, SourceLocation location) {
  return x.tape(location).record(Transposition{}, {x}, location);
}

}  // namespace unroll::ops
