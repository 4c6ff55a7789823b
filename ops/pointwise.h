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
// tanh, sigmoid and relu take a name for what they give, sigmoid(x, "forget"), under which it is seen by
// those who look how often it is saturated.
//
// Only the inputs are kept for backward; everything else is computed again in registers.
//
// One result has the shape of the full operand; the others may be rows (a bias: one row, as many columns),
// columns (a mask: as many rows, one column) or scalars, and are repeated.
#pragma once
#include <algorithm>
#include <concepts>
#include <tuple>

#include "autograd/tape.h"
#include "ops/watched.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

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

/// One operand of a loop over rows, a pack at a time. A number that is repeated along the row, and the
/// partial pack at the end of a row, are staged, so that the loop itself loads and stores whole packs only.
template <class T, class Arch = xsimd::default_arch>
class Stream {
 public:
  using Number = std::remove_const_t<T>;
  static constexpr Index lanes = PackOf<Number, Arch>::lanes;

  /// `v` broadcast to `rows` rows and `size` elements.
  Stream(const View<T>& v, Index rows, Index size) : Stream(v.data, v, rows, size) {}
  /// Numbers that lie like those of `v`.
  template <class U>
  Stream(T* data, const View<U>& v, Index rows, Index size)
      : data_(data),
        row_step_(v.size() == size || v.rows() == rows ? v.stride : 0),
        splat_(v.size() != size && v.cols() == 1) {}
  bool splat() const { return splat_; }
  /// How far a pointer moves from pack to pack.
  Index step() const { return splat_ ? 0 : lanes; }
  T* row(Index r) const { return data_ + r * row_step_; }

  // To be read:
  const T* begin(Index r) { return splat_ ? repeated(r) : row(r); }
  /// The lanes beyond `count` repeat the first, so that they are in the function's domain.
  [[gnu::noinline]] const T* partial(const T* p, Index count) {
    if (splat_) return p;
    std::fill_n(staged_, lanes, *p);
    std::copy_n(p, count, staged_);
    return staged_;
  }

  // To be added to. A repeated number gathers the sum of its row first.
  T* begin_sum(Index r) { return splat_ ? cleared() : row(r); }
  /// Zeros to add to; end_partial() takes `count` of them. Operands that share memory each add what is
  /// theirs.
  [[gnu::noinline]] T* begin_partial() {
    std::fill_n(partial_, lanes, T(0));
    return partial_;
  }
  [[gnu::noinline]] void end_partial(T* p, Index count, bool fresh) const {
    for (Index i = 0; i < count; ++i) p[i] = fresh ? partial_[i] : p[i] + partial_[i];
  }
  void end_sum(Index r) {
    if (splat_) add_staged(r);
  }

 private:
  // Out of line, as they would otherwise stand in every op several times.
  [[gnu::noinline]] const T* repeated(Index r) {
    std::fill_n(staged_, lanes, *row(r));
    return staged_;
  }
  [[gnu::noinline]] T* cleared() {
    std::fill_n(staged_, lanes, T(0));
    return staged_;
  }
  [[gnu::noinline]] void add_staged(Index r) { *row(r) += Pack<T>::load(staged_).sum(); }

  T* data_;
  Index row_step_;
  bool splat_;
  alignas(64) Number staged_[static_cast<std::size_t>(lanes)];
  alignas(64) Number partial_[static_cast<std::size_t>(lanes)];
};

}  // namespace detail

template <class F, int N, class Arch = xsimd::default_arch>
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
  void watch(const autograd::Tape& tape, const autograd::Node& node, Index elements,
             std::vector<autograd::Saturation>& found) const {
    Watch watch(tape, node, elements, found);
    while (watch.next()) [&]<std::size_t... I>(std::index_sequence<I...>) {
        (void)f(watch.operand(I)...);
      }
    (std::make_index_sequence<N>{});
  }

 private:
  // Where nothing is repeated and all operands are contiguous, the rows are taken as one long row (`flat`).
  template <class T, std::size_t... I, std::size_t... O>
  void run_forward(Forward<T>& context, std::index_sequence<I...>, std::index_sequence<O...>) const {
    const View<T> out[] = {context.out(O)...};
    const View<const T> in[] = {context.in(I)...};
    const Index size = out[0].size();
    const bool flat = ((in[I].contiguous() && in[I].size() == size) && ...);
    const Index rows = flat ? 1 : out[0].rows(), cols = flat ? size : out[0].cols();
    detail::Stream<const T> x[] = {{in[I], rows, size}...};
    detail::Stream<T> y[] = {{out[O], rows, size}...};
    constexpr Index lanes = Pack<T>::lanes;
    for (Index r = 0; r < rows; ++r) {
      const T* from[] = {x[I].begin(r)...};
      T* to[] = {y[O].row(r)...};
      for (Index c = 0; c < cols; c += lanes) {
        const Index count = std::min(lanes, cols - c);
        T* whole[] = {to[O]...};
        if (count < lanes) {
          ((from[I] = x[I].partial(from[I], count)), ...);
          ((to[O] = y[O].begin_partial()), ...);
        }
        const auto result = f(Pack<T>::load(from[I])...);
        (Pack<T>(detail::output_of<O>(result)).store(to[O]), ...);
        if (count < lanes) (y[O].end_partial(whole[O], count, true), ...);
        ((from[I] += x[I].step()), ...);
        ((to[O] += lanes), ...);
      }
    }
  }

  // Where the gradient of one input goes; nowhere, if nobody wants it.
  template <class T>
  struct Target {
    detail::Stream<T> sum;
    T *to, *whole;
    bool wanted, fresh;
  };

  // Filled in where they lie: structs that are assembled elsewhere and copied make wide loads wait for the
  // narrow stores before them.
  template <class T, std::size_t... I, std::size_t... O>
  void run_backward(Backward<T>& context, std::index_sequence<I...>, std::index_sequence<O...>) const {
    const View<const T> d_out[] = {context.d_out(O)...};
    const View<const T> in[] = {context.in(I)...};
    const Index size = d_out[0].size();
    // A gradient lies like its value. That of a repeated operand is added to in several places.
    const bool flat = (d_out[O].contiguous() && ...) && ((in[I].contiguous() && in[I].size() == size) && ...);
    const unsigned wanted = ((context.wants(I) ? 1u << I : 0u) | ...);
    const unsigned repeated = ((in[I].size() != size ? 1u << I : 0u) | ...);
    T* memory[N] = {};
    const unsigned fresh = context.d_in(wanted, repeated, memory);
    const Index rows = flat ? 1 : d_out[0].rows(), cols = flat ? size : d_out[0].cols();
    detail::Stream<const T> x[] = {{in[I], rows, size}...};
    detail::Stream<const T> dy[] = {{d_out[O], rows, size}...};
    Target<T> target[] = {
        {{memory[I], in[I], rows, size}, nullptr, nullptr, (wanted >> I & 1) != 0, (fresh >> I & 1) != 0}...};
    constexpr Index lanes = Pack<T>::lanes;
    for (Index r = 0; r < rows; ++r) {
      const T* from[] = {x[I].begin(r)...};
      const T* seed[] = {dy[O].begin(r)...};
      for (Target<T>& t : target)
        if (t.wanted) t.to = t.sum.begin_sum(r);
      for (Index c = 0; c < cols; c += lanes) {
        const Index count = std::min(lanes, cols - c);
        if (count < lanes) {
          ((from[I] = x[I].partial(from[I], count)), ...);
          ((seed[O] = dy[O].partial(seed[O], count)), ...);
          for (Target<T>& t : target)
            if (t.wanted) {
              t.whole = t.to;
              t.to = t.sum.begin_partial();
            }
        }
        const auto result = f(Dual<Pack<T>, 1u << I>{Pack<T>::load(from[I]), {Pack<T>(1.0)}}...);
        const Pack<T> seeds[] = {Pack<T>::load(seed[O])...};
        (add_slopes<I>(target[I], result, seeds, std::index_sequence<O...>{}), ...);
        if (count < lanes)
          for (Target<T>& t : target)
            if (t.wanted) t.sum.end_partial(t.whole, count, t.fresh);
        ((from[I] += x[I].step()), ...);
        ((seed[O] += lanes), ...);
        for (Target<T>& t : target)
          if (t.wanted) t.to += t.sum.step();
      }
      for (Target<T>& t : target)
        if (t.wanted) t.sum.end_sum(r);
    }
  }

  // d_in[K] += sum over outputs of d_out * d out / d in[K], for one pack.
  template <std::size_t K, class T, class R, std::size_t... O>
  static void add_slopes(Target<T>& target, const R& result, const Pack<T>* seeds,
                         std::index_sequence<O...>) {
    if (!target.wanted) return;
    Pack<T> sum(0.0);
    (([&]<class D>(const D& d) {
       if constexpr (requires { d.tangent; })
         if constexpr (D::depends_on(K)) sum = fma(seeds[O], d.tangent[D::slot(K)], sum);
     }(detail::output_of<O>(result))),
     ...);
    (target.fresh ? sum : Pack<T>::load(target.to) + sum).store(target.to);
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
