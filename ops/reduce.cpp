#include "ops/reduce.h"

#include <fmt/format.h>

#include "ops/simd/row_kernels.h"
#include "ops/simd/simd.h"
#include "ops/simd/softmax_rows.h"

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
    const Index inner = Surroundings(s.without(-1), axis).after;
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

template <class T>
double long_sum(const T* x, Index n) {
  double total = 0;
  for (Index c = 0; c < n; c += kPlainSum)
    total += static_cast<double>(row_sum(x + c, std::min(kPlainSum, n - c)));
  return total;
}

struct Sum {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  const char* label;
  Geometry geometry;
  Shape result;
  double scale;

  Shape shape(const Inputs&) const { return result; }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<T> out = context.out();
    if (geometry.whole_rows) return context.dry() ? void() : sum_whole_rows(context.in(0), out);
    LongSums<T> sums(context.tape().pool(), out.data, out.size(), geometry.extent);
    if (!context.dry()) sum_along_axis(context.in(0), out, sums);
  }
  template <class T>
  void sum_whole_rows(View<const T> x, View<T> out) const {
    for (Index o = 0; o < geometry.outer; ++o) {
      double total = 0;
      if (x.contiguous())
        total = long_sum(x.row(o * geometry.extent), geometry.extent * geometry.cols);
      else
        for (Index k = 0; k < geometry.extent; ++k)
          total += long_sum(x.row(o * geometry.extent + k), x.cols());
      out.data[o] = static_cast<T>(total * scale);
    }
  }
  template <class T>
  void sum_along_axis(View<const T> x, View<T> out, LongSums<T>& sums) const {
    std::fill_n(out.data, out.size(), T(0));
    geometry.each_run(x, [&](Index k, const T* row, Index n, Index at) {
      add_row(row, n, out.data + at);
      if ((k + 1) % kSumBlock == 0) sums.fold(at, n);
    });
    sums.finish();
    if (scale != 1) scale_row(static_cast<T>(scale), out.size(), out.data);
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const T* d_out = context.d_out().data;
    const Into<T> d_in = context.d_in(0);
    if (context.dry()) return;
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
  static constexpr bool takes_memory = true;

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
    if (context.dry()) return;
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
      const View<T> d_in = context.add_to(0);
      if (!context.dry()) give_to_elements(x, out.data, d_out.data, d_in);
    } else {
      const autograd::Scratch<T> left = context.scratch(d_out.size());
      const Into<T> d_in = context.d_in(0);
      if (context.dry()) return;
      std::copy_n(d_out.data, d_out.size(), left.data());
      give_along_axis(x, out.data, left.data(), d_in);
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

void require_some(const char* op, const Geometry& geometry, const Shape& shape, SourceLocation location) {
  if (geometry.reduced() == 0)
    autograd::fail(op,
                   fmt::format("a value of shape {} came, with no elements to reduce; needed at least one",
                               to_string(shape)),
                   location);
}

// make(geometry, shape of the result), recorded: over all elements, or along an axis.
template <class Make>
Var over_all(Var x, SourceLocation location, Make make) {
  return x.tape(location).record(make(Geometry::all(x.shape(location)), Shape{}), {x}, location);
}
template <class Make>
Var over_axis(const char* op, Var x, int axis, Keep keep, SourceLocation location, Make make) {
  const Shape shape = x.shape(location);
  axis = front_axis(op, axis, shape, location);
  const Shape result = keep == Keep::yes ? shape.with(axis, 1) : shape.without(axis);
  return x.tape(location).record(make(Geometry::along(shape, axis), result), {x}, location);
}

auto make_sum() {
  return [](const Geometry& g, const Shape& result) { return Sum{"sum", g, result, 1}; };
}
auto make_mean(Var x, SourceLocation location) {
  return [=](const Geometry& g, const Shape& result) {
    require_some("mean", g, x.shape(), location);
    return Sum{"mean", g, result, 1 / static_cast<double>(g.reduced())};
  };
}
template <bool kMax>
auto make_extremum(Var x, SourceLocation location) {
  return [=](const Geometry& g, const Shape& result) {
    require_some(Extremum<kMax>::name, g, x.shape(), location);
    return Extremum<kMax>{g, result};
  };
}

}  // namespace

Var sum(Var x, SourceLocation location) { return over_all(x, location, make_sum()); }
Var sum(Var x, int axis, Keep keep, SourceLocation location) {
  return over_axis("sum", x, axis, keep, location, make_sum());
}
Var mean(Var x, SourceLocation location) { return over_all(x, location, make_mean(x, location)); }
Var mean(Var x, int axis, Keep keep, SourceLocation location) {
  return over_axis("mean", x, axis, keep, location, make_mean(x, location));
}
Var max(Var x, SourceLocation location) { return over_all(x, location, make_extremum<true>(x, location)); }
Var max(Var x, Axis axis, Keep keep, SourceLocation location) {
  return over_axis("max", x, axis, keep, location, make_extremum<true>(x, location));
}
Var min(Var x, SourceLocation location) { return over_all(x, location, make_extremum<false>(x, location)); }
Var min(Var x, Axis axis, Keep keep, SourceLocation location) {
  return over_axis("min", x, axis, keep, location, make_extremum<false>(x, location));
}

}  // namespace unroll::ops
