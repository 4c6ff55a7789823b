#include "ops/layer_norm.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/pointwise.h"
#include "ops/simd/map_rows.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

namespace {

template <class T>
struct RowStatistics {
  T mean, scale;  // scale is 1 / sqrt(variance + epsilon)
};

struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0b011, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  void* statistics;  // RowStatistics<T> of each row
  double epsilon;

  Shape shape(const Inputs& in) const {
    const Shape& x = in[0];
    if (x.rank() == 0 || x.cols() == 0)
      in.reject(fmt::format("a value of shape {} came; needed at least one column", to_string(x)));
    for (int i : {1, 2})
      if (in[i].size() != x.cols() || in[i].cols() != x.cols())
        in.reject(fmt::format("a {} of shape {} came for a value of shape {}; needed [{}]",
                              i == 1 ? "gain" : "bias", to_string(in[i]), to_string(x), x.cols()));
    return x;
  }

  template <class T>
  void forward(Forward<T>& context) const {
    if (context.dry()) return;
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    const T *gain = context.in(1).data, *bias = context.in(2).data;
    for (Index r = 0; r < x.rows(); ++r) {
      const RowStatistics<T> s = of_rows<T>()[r] = of_row(x.row(r), x.cols());
      put_row(out.row(r), x.cols(), true, [row = x.row(r), gain, bias, s](Index c) {
        return (row[c] - s.mean) * s.scale * gain[c] + bias[c];
      });
    }
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> x = context.in(0), d_out = context.d_out();
    // One after the other: they may share memory.
    if (context.wants(0)) {
      const Into<T> d_x = context.d_in(0);
      if (!context.dry()) put_d_x(x, context.in(1).data, d_out, d_x);
    }
    if (context.wants(1)) add_d_gain(context, x, d_out, context.add_to(1).data);
    if (context.wants(2)) sum_rows(context, d_out, context.add_to(2).data);
  }

 private:
  template <class T>
  RowStatistics<T>* of_rows() const {
    return static_cast<RowStatistics<T>*>(statistics);
  }
  template <class T>
  RowStatistics<T> of_row(const T* x, Index n) const {
    const T mean = sum_row(
                       n, [](auto v) { return v; }, x) /
                   static_cast<T>(n);
    const T squares = sum_row(
        n, [m = Pack<T>(mean)](auto v) { return (v - m) * (v - m); }, x);
    return {mean, 1 / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(epsilon))};
  }
  template <class T>
  void add_d_gain(Backward<T>& context, View<const T> x, View<const T> d_out, T* d_gain) const {
    LongSums<T> sums(context.tape().pool(), d_gain, x.cols(), x.rows());
    if (context.dry()) return;
    for (Index r = 0; r < x.rows(); ++r) {
      put_row(d_gain, x.cols(), false, [row = x.row(r), d = d_out.row(r), s = of_rows<T>()[r]](Index c) {
        return d[c] * (row[c] - s.mean) * s.scale;
      });
      sums.next();
    }
    sums.finish();
  }
  template <class T>
  void put_d_x(View<const T> x, const T* gain, View<const T> d_out, Into<T> into) const {
    const Index n = x.cols();
    for (Index r = 0; r < x.rows(); ++r) {
      const Pack<T> mean(of_rows<T>()[r].mean), scale(of_rows<T>()[r].scale);
      const T *row = x.row(r), *d = d_out.row(r);
      const Pack<T> mean_g(sum_row(
                               n, [](auto dy, auto g) { return dy * g; }, d, gain) /
                           static_cast<T>(n));
      const Pack<T> mean_gh(
          sum_row(
              n, [=](auto dy, auto g, auto v) { return dy * g * (v - mean) * scale; }, d, gain, row) /
          static_cast<T>(n));
      map_row(
          into.view.row(r), n, into.fresh,
          [=](auto dy, auto g, auto v) { return (dy * g - mean_g - (v - mean) * scale * mean_gh) * scale; },
          d, gain, row);
    }
  }
};

}  // namespace

Var layer_norm(Var x, Term gain, Term bias, double epsilon, SourceLocation location) {
  autograd::Tape& tape = x.tape(location);
  if (gain.is_number() || bias.is_number())
    autograd::fail("layer_norm", "a number came for gain or bias; needed values of one row", location);
  if (!(epsilon > 0))
    autograd::fail("layer_norm", fmt::format("an epsilon of {} came; needed one above 0", epsilon), location);
  const auto bytes = static_cast<std::size_t>(x.rows(location)) * 2 * size_of(tape.dtype());
  return tape.record(LayerNorm{tape.arena().allocate(bytes), epsilon}, {x, gain.on(tape), bias.on(tape)},
                     location);
}

}  // namespace unroll::ops
