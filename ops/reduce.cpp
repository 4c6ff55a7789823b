#include "ops/reduce.h"

#include <fmt/format.h>

#include "ops/pack.h"
#include "ops/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

namespace {

// The rows of the operand as [outer, extent, inner]. Either `extent` is the axis: output row (o, i) combines
// rows (o, k, i) element by element; or rows are consumed whole (inner is 1): output element o combines all
// elements of rows (o, k).
struct Geometry {
  Index outer, extent, inner, cols;
  bool whole_rows;

  static Geometry all(const Shape& s) { return {1, s.rows(), 1, s.cols(), true}; }
  static Geometry along(const Shape& s, int axis) {
    const Surroundings around(s, axis);
    if (axis == s.rank() - 1) return {around.before, 1, 1, s.cols(), true};
    // around.after holds the columns, too; they may be 0
    Index inner = 1;
    for (int i = axis + 1; i + 1 < s.rank(); ++i) inner *= s[i];
    return {around.before, s[axis], inner, s.cols(), false};
  }
  Index reduced() const { return whole_rows ? extent * cols : extent; }

  // f(o, k, output row, run of rows from the operand's row `first`, each `n` elements)
  template <class T, class F>
  void each_run(View<T> x, F f) const {
    const bool merged = x.contiguous();
    const Index runs = merged ? 1 : inner, n = merged ? inner * cols : cols;
    for (Index o = 0; o < outer; ++o)
      for (Index k = 0; k < extent; ++k)
        for (Index i = 0; i < runs; ++i)
          f(k, x.row((o * extent + k) * inner + i), n, whole_rows ? o : (o * inner + i) * cols);
  }
};

// Blocks of packs go into a double, so that long sums lose little in f32.
template <class T>
double row_sum(const T* x, Index n) {
  constexpr Index lanes = Pack<T>::lanes, block = 64 * lanes;
  double total = 0;
  Index c = 0;
  while (c + 4 * lanes <= n) {
    const Index end = std::min(n, c + block);
    Pack<T> s[4] = {0.0, 0.0, 0.0, 0.0};
    for (; c + 4 * lanes <= end; c += 4 * lanes)
      for (Index j = 0; j < 4; ++j) s[j] = s[j] + Pack<T>::load(x + c + j * lanes);
    total += static_cast<double>(((s[0] + s[1]) + (s[2] + s[3])).sum());
  }
  for (; c < n; ++c) total += static_cast<double>(x[c]);
  return total;
}

struct Sum {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const char* label;
  Geometry geometry;
  Shape result;
  double scale;

  Shape shape(const Inputs&) const { return result; }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<T> out = context.out();
    if (geometry.whole_rows) {
      const View<const T> x = context.in(0);
      for (Index o = 0; o < geometry.outer; ++o) {
        double total = 0;
        if (x.contiguous())
          total = row_sum(x.row(o * geometry.extent), geometry.extent * geometry.cols);
        else
          for (Index k = 0; k < geometry.extent; ++k) total += row_sum(x.row(o * geometry.extent + k), x.cols());
        out.data[o] = static_cast<T>(total * scale);
      }
      return;
    }
    std::fill_n(out.data, out.size(), T(0));
    geometry.each_run(context.in(0), [&](Index, const T* x, Index n, Index at) { add_row(x, n, out.data + at); });
    if (scale != 1) scale_row(static_cast<T>(scale), out.size(), out.data);
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const T* d_out = context.d_out().data;
    const Into<T> d_in = context.d_in(0);
    const T by = static_cast<T>(scale);
    geometry.each_run(d_in.view, [&](Index, T* d_x, Index n, Index at) {
      if (geometry.whole_rows)
        put_row(d_x, n, d_in.fresh, [d = d_out[at] * by](Index) { return d; });
      else
        put_row(d_x, n, d_in.fresh, [d = d_out + at, by](Index c) { return d[c] * by; });
    });
  }
};

template <bool kMax>
struct Extremum {
  static constexpr const char* name = kMax ? "max" : "min";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 1;

  Geometry geometry;
  Shape result;

  Shape shape(const Inputs&) const { return result; }

  // x where it wins over the best so far; a NaN wins and stays.
  template <class T>
  static T better(T x, T best) {
    return ((kMax ? x > best : x < best) | (x != x)) ? x : best;
  }
  template <class T>
  static T row_best(const T* x, Index n, T best) {
    constexpr Index lanes = Pack<T>::lanes;
    Index c = 0;
    if (n >= lanes) {
      Pack<T> b = Pack<T>::load(x);
      for (c = lanes; c + lanes <= n; c += lanes) {
        const Pack<T> p = Pack<T>::load(x + c);
        b = select((kMax ? p > b : p < b) | is_nan(p), p, b);
      }
      T each[static_cast<std::size_t>(lanes)];
      b.store(each);
      for (T y : each) best = better(y, best);
    }
    for (; c < n; ++c) best = better(x[c], best);
    return best;
  }

  template <class T>
  void forward(Forward<T>& context) const {
    T* out = context.out().data;
    geometry.each_run(context.in(0), [&](Index k, const T* x, Index n, Index at) {
      if (geometry.whole_rows)
        out[at] = row_best(x, n, k == 0 ? x[0] : out[at]);
      else if (k == 0)
        std::copy_n(x, n, out + at);
      else
        take_better(x, n, out + at);
    });
  }
  template <class T>
  static void take_better(const T* __restrict x, Index n, T* __restrict best) {
    for (Index c = 0; c < n; ++c) best[c] = better(x[c], best[c]);
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> x = context.in(0), out = context.out(), d_out = context.d_out();
    if (geometry.whole_rows) {
      give_to_elements(x, out.data, d_out.data, context.add_to(0));
    } else {
      const autograd::Scratch<T> left = context.scratch(d_out.size());
      std::copy_n(d_out.data, d_out.size(), left.data());
      give_along_axis(x, out.data, left.data(), context.d_in(0));
    }
  }

 private:
  template <class T>
  void give_to_elements(View<const T> x, const T* out, const T* d_out, View<T> d_x) const {
    for (Index o = 0; o < geometry.outer; ++o)
      for (Index k = 0; k < geometry.extent; ++k) {
        const Index r = o * geometry.extent + k;
        const T* found = std::find(x.row(r), x.row(r) + x.cols(), out[o]);
        if (found == x.row(r) + x.cols()) continue;
        d_x(r, found - x.row(r)) += d_out[o];
        break;
      }
  }
  // `left` is what no element has taken yet.
  template <class T>
  void give_along_axis(View<const T> x, const T* out, T* left, Into<T> d_in) const {
    for (Index o = 0; o < geometry.outer; ++o)
      for (Index k = 0; k < geometry.extent; ++k)
        for (Index i = 0; i < geometry.inner; ++i) {
          const Index r = (o * geometry.extent + k) * geometry.inner + i;
          const Index at = (o * geometry.inner + i) * geometry.cols;
          take(x.row(r), out + at, geometry.cols, d_in.fresh, left + at, d_in.view.row(r));
        }
  }
  template <class T>
  static void take(const T* __restrict x, const T* __restrict best, Index n, bool fresh, T* __restrict left,
                   T* __restrict d_x) {
    for (Index c = 0; c < n; ++c) {
      const T taken = x[c] == best[c] ? left[c] : T(0);
      d_x[c] = fresh ? taken : d_x[c] + taken;
      left[c] = x[c] == best[c] ? T(0) : left[c];
    }
  }
};

template <class Op>
Var reduce(const char* name, Var x, const Geometry& geometry, const Shape& result, bool of_nothing, Where where,
           Op make) {
  if (geometry.reduced() == 0 && !of_nothing)
    autograd::fail(name,
                   fmt::format("a value of shape {} came, with 0 elements to reduce; needed at least one",
                               to_string(x.shape(where))),
                   where);
  return x.tape(where).record(make(geometry, result), {x}, where);
}

}  // namespace
}  // namespace unroll::ops
