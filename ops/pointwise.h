// Elementwise ops from one generic lambda: forward on SIMD packs, backward on dual numbers of the same
// lambda.
//
//   Var f = pointwise("gate", [](auto x, auto y) { return sigmoid(x) * y; }, x, y);
//   auto [h, c] = pointwise("lstm", [](auto i, auto f, auto g, auto o, auto c) {
//     auto c_next = sigmoid(f) * c + sigmoid(i) * tanh(g);
//     return std::tuple{sigmoid(o) * tanh(c_next), c_next};
//   }, i, f, g, o, c);
//
// The vocabulary: + - * / with constants on either side, comparisons, select, min, max, clamp, exp, expm1,
// log, log1p, sqrt, square, abs, tanh, sigmoid, relu, leaky_relu, elu, gelu, softplus, erf, sin, cos, pow.
// Only the inputs are kept for backward; everything else is computed again in registers.
//
// One result has the shape of the full operand; the others may be rows (a bias: one row, as many columns),
// columns (a mask: as many rows, one column) or scalars, and are repeated.
#pragma once
#include <concepts>
#include <cstring>
#include <tuple>

#include "autograd/tape.h"
#include "ops/vocabulary.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Into;

/// A name for listings, and the line of the user's call.
struct Label {
  const char* name;
  Where where;
  constexpr Label(const char* text, Where here = Where::here()) : name(text), where(here) {}
};

namespace detail {

template <class R>
struct OutputsOf : std::integral_constant<int, 1> {};
template <class... R>
struct OutputsOf<std::tuple<R...>> : std::integral_constant<int, sizeof...(R)> {};

template <int O, class R>
const auto& output_of(const R& result) {
  if constexpr (OutputsOf<R>::value == 1 && !requires { std::get<0>(result); })
    return result;
  else
    return std::get<O>(result);
}

/// Shape of the result; rejects operands that do not broadcast, naming the first that does not fit.
Shape broadcast(const Inputs& in);

/// One operand, as the loops see it. A step of 0 repeats.
template <class T>
struct Operand {
  T* data;
  Index row_step;  // elements from one row to the next
  bool splat;      // one number for the whole row
};

template <class T>
Operand<T> operand(const View<T>& v, Index rows, Index size) {
  if (v.size() == size) return {v.data, v.stride, false};
  return {v.data, v.rows() == rows ? v.stride : 0, v.cols() == 1};
}

/// A pack, the first `count` lanes from p (the rest repeat the first), or all lanes *p.
template <class T>
Pack<T> load_part(const T* p, Index count) {
  alignas(64) T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  for (Index i = 0; i < Pack<T>::lanes; ++i) lanes[i] = p[i < count ? i : 0];
  return Pack<T>::load(lanes);
}
template <class T>
void store_part(const Pack<T>& x, T* p, Index count) {
  alignas(64) T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  x.store(lanes);
  std::memcpy(p, lanes, static_cast<std::size_t>(count) * sizeof(T));
}
template <class T>
T sum_part(const Pack<T>& x, Index count) {
  alignas(64) T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  x.store(lanes);
  T total = 0;
  for (Index i = 0; i < count; ++i) total += lanes[i];
  return total;
}

}  // namespace detail

template <class F, int N>
struct Pointwise {
  const char* label;
  [[no_unique_address]] F f;

  template <std::size_t>
  using Probe = Dual<Pack<float>, 1u>;
  template <std::size_t... I>
  static auto probe(std::index_sequence<I...>)
      -> decltype(std::declval<const F&>()(std::declval<Probe<I>>()...));
  static constexpr int outputs = detail::OutputsOf<decltype(probe(std::make_index_sequence<N>{}))>::value;
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 0;

  auto shape(const Inputs& in) const {
    const Shape s = detail::broadcast(in);
    if constexpr (outputs == 1) {
      return s;
    } else {
      std::array<Shape, outputs> all;
      all.fill(s);
      return all;
    }
  }
  template <class T>
  void forward(Forward<T>& context) const {
    run_forward(context, std::make_index_sequence<N>{}, std::make_index_sequence<outputs>{});
  }
  template <class T>
  void backward(Backward<T>& context) const {
    run_backward(context, std::make_index_sequence<N>{}, std::make_index_sequence<outputs>{});
  }

 private:
  template <class T, std::size_t... I, std::size_t... O>
  void run_forward(Forward<T>& context, std::index_sequence<I...>, std::index_sequence<O...>) const {
    const View<T> out[] = {context.out(O)...};
    Index rows = out[0].rows(), cols = out[0].cols();
    const View<const T> views[] = {context.in(I)...};
    if (((views[I].contiguous() && views[I].size() == out[0].size()) && ...)) {
      cols *= rows;  // nothing is repeated: one long row, one tail
      rows = 1;
    }
    const detail::Operand<const T> in[] = {detail::operand(views[I], rows, rows * cols)...};
    const bool plain = !(in[I].splat || ...);
    for (Index r = 0; r < rows; ++r) {
      const T* x[] = {in[I].data + r * in[I].row_step...};
      T* y[] = {out[O].data + r * out[O].stride...};
      if (plain)
        forward_row<T>([&](std::size_t i, Index c) { return Pack<T>::load(x[i] + c); },
                       [&](std::size_t i, Index c, Index n) { return detail::load_part(x[i] + c, n); }, y,
                       cols, std::index_sequence<I...>{}, std::index_sequence<O...>{});
      else
        forward_row<T>(
            [&](std::size_t i, Index c) { return in[i].splat ? Pack<T>(*x[i]) : Pack<T>::load(x[i] + c); },
            [&](std::size_t i, Index c, Index n) {
              return in[i].splat ? Pack<T>(*x[i]) : detail::load_part(x[i] + c, n);
            },
            y, cols, std::index_sequence<I...>{}, std::index_sequence<O...>{});
    }
  }

  template <class T, class Load, class LoadPart, std::size_t... I, std::size_t... O>
  void forward_row(Load load, LoadPart load_part, T* const* y, Index cols, std::index_sequence<I...>,
                   std::index_sequence<O...>) const {
    constexpr Index lanes = Pack<T>::lanes;
    Index c = 0;
    for (; c + lanes <= cols; c += lanes) {
      const auto result = f(load(I, c)...);
      (Pack<T>(detail::output_of<O>(result)).store(y[O] + c), ...);
    }
    if (c < cols) {
      const auto result = f(load_part(I, c, cols - c)...);
      (detail::store_part(Pack<T>(detail::output_of<O>(result)), y[O] + c, cols - c), ...);
    }
  }

  // One input's gradient: added along the row, or (splat) summed over it.
  template <class T>
  struct Target {
    T* data = nullptr;  // nullptr: nobody wants it
    Index row_step = 0;
    bool splat = false;
    bool fresh = false;
    Pack<T> sum = Pack<T>(0.0);
    T tail = 0;
  };

  template <class T, std::size_t... I, std::size_t... O>
  void run_backward(Backward<T>& context, std::index_sequence<I...>, std::index_sequence<O...>) const {
    const View<const T> d_out[] = {context.d_out(O)...};
    const View<const T> views[] = {context.in(I)...};
    Index rows = d_out[0].rows(), cols = d_out[0].cols();
    const Index size = rows * cols;
    Target<T> target[N];
    bool same_layout = ((d_out[O].contiguous()) && ...);
    for (int k = 0; k < N; ++k) {
      same_layout = same_layout && views[k].contiguous() && views[k].size() == size;
      if (!context.wants(k)) continue;
      bool shared = false;  // with another input: then both add
      for (int other = 0; other < N; ++other)
        shared = shared || (other != k && context.wants(other) && context.share_gradient(k, other));
      const bool repeated = views[k].size() != size;
      const Into<T> into = shared || repeated ? Into<T>{context.add_to(k), false} : context.d_in(k);
      target[k].data = into.view.data;
      target[k].fresh = into.fresh;
      target[k].row_step = into.view.stride;
      same_layout = same_layout && into.view.contiguous();
    }
    if (same_layout) {
      cols = size;
      rows = 1;
    }
    for (int k = 0; k < N; ++k) {
      if (views[k].size() == size) continue;
      if (views[k].rows() != rows) target[k].row_step = 0;
      target[k].splat = views[k].cols() == 1;
    }
    const detail::Operand<const T> in[] = {detail::operand(views[I], rows, size)...};
    for (Index r = 0; r < rows; ++r) {
      const T* x[] = {in[I].data + r * in[I].row_step...};
      const T* dy[] = {d_out[O].data + r * d_out[O].stride...};
      constexpr Index lanes = Pack<T>::lanes;
      auto block = [&](Index c, auto load, auto add) {
        const auto result =
            f(Dual<Pack<T>, 1u << I>{in[I].splat ? Pack<T>(*x[I]) : load(x[I] + c), {Pack<T>(1.0)}}...);
        const Pack<T> seed[] = {load(dy[O] + c)...};
        auto one = [&]<int K>(std::integral_constant<int, K>) {
          if (!target[K].data) return;
          Pack<T> sum(0.0);
          (([&]<class D>(const D& d, const Pack<T>& s) {
             if constexpr (requires { d.tangent; })
               if constexpr (D::depends_on(K)) sum = fma(s, d.tangent[D::slot(K)], sum);
           }(detail::output_of<O>(result), seed[O])),
           ...);
          add(target[K], target[K].data + r * target[K].row_step + c, sum);
        };
        (one(std::integral_constant<int, static_cast<int>(I)>{}), ...);
      };
      Index c = 0;
      for (; c + lanes <= cols; c += lanes)
        block(
            c, [](const T* p) { return Pack<T>::load(p); },
            [](Target<T>& t, T* p, const Pack<T>& sum) {
              if (t.splat)
                t.sum = t.sum + sum;
              else
                (t.fresh ? sum : Pack<T>::load(p) + sum).store(p);
            });
      if (c < cols)
        block(
            c, [n = cols - c](const T* p) { return detail::load_part(p, n); },
            [n = cols - c](Target<T>& t, T* p, const Pack<T>& sum) {
              if (t.splat)
                t.tail += detail::sum_part(sum, n);
              else
                detail::store_part(t.fresh ? sum : detail::load_part<T>(p, n) + sum, p, n);
            });
      for (Target<T>& t : target) {
        if (!t.splat || !t.data) continue;
        t.data[r * t.row_step] += t.sum.sum() + t.tail;
        t.sum = Pack<T>(0.0);
        t.tail = 0;
      }
    }
  }
};

/// Applies `f` to all elements. Operands are Vars or Parameters; at least one is a Var. Returns a Var, or an
/// array of them where `f` returns a std::tuple.
template <class F, class... X>
auto pointwise(Label label, F f, const X&... x);

namespace detail {
template <class X>
concept IsParameter = std::derived_from<X, autograd::Parameter>;

template <class First, class... Rest>
autograd::Tape& tape_of(Where where, const First& first, const Rest&... rest) {
  if constexpr (IsParameter<First>)
    return tape_of(where, rest...);
  else
    return Var(first).tape(where);
}
template <class X>
Var as_var(autograd::Tape& tape, const X& x) {
  if constexpr (IsParameter<X>)
    return tape.parameter(x);
  else
    return x;
}
}  // namespace detail

template <class F, class... X>
auto pointwise(Label label, F f, const X&... x) {
  autograd::Tape& tape = detail::tape_of(label.where, x...);
  using Op = Pointwise<F, static_cast<int>(sizeof...(X))>;
  const std::array<Var, sizeof...(X)> inputs{detail::as_var(tape, x)...};
  auto result = tape.record(Op{label.name, f}, std::span<const Var>(inputs), label.where);
  if constexpr (Op::outputs == 1)
    return result[0];
  else
    return result;
}

}  // namespace unroll::ops

namespace unroll {
using ops::pointwise;
}
