#include "ops/softmax.h"

#include <fmt/format.h>

#include "ops/pointwise.h"
#include "ops/simd/map_rows.h"
#include "ops/simd/row_kernels.h"
#include "ops/simd/softmax_rows.h"

namespace unroll::ops {

namespace {

Shape with_columns(const Inputs& in) {
  if (in[0].rank() == 0) in.reject("a scalar came; needed a value with columns");
  return in[0];
}

struct Softmax {
  static constexpr const char* name = "softmax";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 1;

  Shape shape(const Inputs& in) const { return with_columns(in); }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    for (Index r = 0; r < x.rows(); ++r) softmax_row(x.row(r), context.out().row(r), x.cols());
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> y = context.out(), d_out = context.d_out();
    const Into<T> d_in = context.d_in(0);
    for (Index r = 0; r < y.rows(); ++r) {
      const Pack<T> inner(sum_row(
          y.cols(), [](auto p, auto d) { return p * d; }, y.row(r), d_out.row(r)));
      map_row(
          d_in.view.row(r), y.cols(), d_in.fresh, [inner](auto p, auto d) { return p * (d - inner); },
          y.row(r), d_out.row(r));
    }
  }
};

struct LogSoftmax {
  static constexpr const char* name = "log_softmax";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 1;

  Shape shape(const Inputs& in) const { return with_columns(in); }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    for (Index r = 0; r < x.rows(); ++r) {
      const LogSumExp<T> total = row_logsumexp(x.row(r), x.cols());
      put_row(out.row(r), x.cols(), true,
              [row = x.row(r), total](Index c) { return (row[c] - total.largest) - total.rest; });
    }
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> y = context.out(), d_out = context.d_out();
    const Into<T> d_in = context.d_in(0);
    for (Index r = 0; r < y.rows(); ++r) {
      const Pack<T> total(row_sum(d_out.row(r), y.cols()));
      map_row(
          d_in.view.row(r), y.cols(), d_in.fresh, [total](auto p, auto d) { return d - exp(p) * total; },
          y.row(r), d_out.row(r));
    }
  }
};

struct RowLogSumExp {
  static constexpr const char* name = "logsumexp";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 0;

  Shape shape(const Inputs& in) const {
    const Shape s = with_columns(in);
    if (s.cols() == 0)
      in.reject(fmt::format("a value of shape {} came; needed at least one column", to_string(s)));
    return s.without(-1);
  }
  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    for (Index r = 0; r < x.rows(); ++r) context.out().data[r] = row_logsumexp(x.row(r), x.cols()).sum();
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> x = context.in(0);
    const T* d_out = context.d_out().data;
    const Into<T> d_in = context.d_in(0);
    for (Index r = 0; r < x.rows(); ++r) {
      const LogSumExp<T> total = row_logsumexp(x.row(r), x.cols());
      const Pack<T> largest(total.largest), rest(total.rest), d(d_out[r]);
      map_row(
          d_in.view.row(r), x.cols(), d_in.fresh,
          [largest, rest, d](auto v) { return exp((v - largest) - rest) * d; }, x.row(r));
    }
  }
};

}  // namespace

Var softmax(Var x, SourceLocation location) { return x.tape(location).record(Softmax{}, {x}, location); }
Var log_softmax(Var x, SourceLocation location) {
  return x.tape(location).record(LogSoftmax{}, {x}, location);
}
Var logsumexp(Var x, SourceLocation location) {
  return x.tape(location).record(RowLogSumExp{}, {x}, location);
}

}  // namespace unroll::ops
