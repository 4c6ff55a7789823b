// Elementwise ops from one generic lambda: forward on SIMD packs, backward on dual numbers of the same
// lambda.
//
//   Var f = pointwise("gate", [](auto x, auto y) { return sigmoid(x) * y; }, x, y);
//   auto [h, c] = pointwise("lstm", [](auto i, auto f, auto g, auto o, auto c) {
//     auto c_next = sigmoid(f) * c + sigmoid(i) * tanh(g);
//     return std::tuple{sigmoid(o) * tanh(c_next), c_next};
//   }, i, f, g, o, c);
//
// The vocabulary: + - * / with constants on either side, comparisons with & | !, select, min, max, clamp,
// exp, expm1, log, log1p, sqrt, square, abs, tanh, sigmoid, relu, leaky_relu, elu, gelu, softplus, erf,
// normal_cdf, sin, cos, pow. Constants may be of any type of C++: pow(x, 2), max(x, 0), select(x > 0, 1.0,
// 0.0). Anything else is one error of the compiler, which says what to write (ops/simd/refusals.h). tanh,
// sigmoid and relu take a name for what they give, sigmoid(x, "forget"), under which it is seen by those who
// look how often it is saturated.
//
// The lambda is called again in backward, when what it refers to may be gone. So it may capture numbers, by
// value: [k] or [k = rate * 2], not [&], [&k], [this] or a pointer, which do not compile
// (detail::captures_values has the limits of that). A number that is captured is as it was when pointwise()
// was called.
//
// Only the inputs are kept for backward; everything else is computed again in registers.
//
// One result has the shape of the full operand; the others may be rows (a bias: one row, as many columns),
// columns (a mask: as many rows, one column) or scalars, and are repeated where they lie. All other shapes
// that NumPy would broadcast are repeated in memory first (ops/broadcast.h).
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autograd/op.h"
#include "ops/lambda.h"
#include "ops/simd/long_sums.h"
#include "ops/simd/saturation.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;

/// A name for listings, and the line of the user's call.
struct Label {
  const char* name;
  SourceLocation location;
  constexpr Label(const char* text, SourceLocation here = SourceLocation::current())
      : name(text), location(here) {}
};

namespace detail {

/// The shape that operands broadcast to. Those that do not in the loop, but as in NumPy, are repeated in
/// memory. Throws Error where none fits.
Shape broadcast(autograd::Tape& tape, std::span<Var> operands, const char* op, SourceLocation location);

template <class T, class Arch = xsimd::default_arch>
struct alignas(64) Staged {
  T values[static_cast<std::size_t>(PackOf<T, Arch>::lanes)];
};

/// One operand of a loop over rows, a pack at a time. A value that is repeated along the row, and the
/// partial pack at the end of a row, are staged in a pack of memory, so that the loop itself loads and stores
/// whole packs only.
template <class T, class Arch = xsimd::default_arch>
struct Stream {
  using Number = std::remove_const_t<T>;
  static constexpr Index lanes = PackOf<Number, Arch>::lanes;
  using Staged = detail::Staged<Number, Arch>;

  T* data;
  Index row_step;
  Index step;  // how far a pointer moves from pack to pack: 0 for a repeated value

  /// Values that lie like those of `v`, broadcast to `rows` rows and `size` elements.
  template <class U>
  Stream(T* values, const View<U>& v, Index rows, Index size)
      : data(values),
        row_step(v.size() == size || v.rows() == rows ? v.stride : 0),
        step(v.size() != size && v.cols() == 1 ? 0 : lanes) {}
  T* row(Index r) const { return data + r * row_step; }

  // To be read:
  const T* begin(Index r, Staged& staged) const {
    return step == 0 ? filled(staged.values, *row(r)) : row(r);
  }
  /// The lanes beyond `count` repeat the first, so that they are in the function's domain.
  const T* partial(const T* p, Index count, Staged& staged) const {
    return step == 0 ? p : copied(staged.values, p, count);
  }

  // To be added to. A repeated value gathers the sum of its row first.
  T* begin_sum(Index r, Staged& staged) const { return step == 0 ? filled(staged.values, T(0)) : row(r); }
  void end_sum(Index r, const Staged& staged) const {
    if (step == 0) *row(r) += sum_of(staged.values);
  }

  void renew_sum(Index r, Staged& staged) const {
    end_sum(r, staged);
    if (step == 0) std::fill_n(staged.values, lanes, T(0));
  }

  // Out of line, as they would otherwise stand in every op several times.
  [[gnu::noinline]] static T* filled(Number* pack, Number x) {
    std::fill_n(pack, lanes, x);
    return pack;
  }
  [[gnu::noinline]] static T* copied(Number* pack, const T* p, Index count) {
    std::fill_n(pack, lanes, *p);
    std::copy_n(p, count, pack);
    return pack;
  }
  /// Operands that share memory each put what is theirs.
  [[gnu::noinline]] static void put(const Number* pack, T* p, Index count, bool fresh) {
    for (Index i = 0; i < count; ++i) p[i] = fresh ? pack[i] : p[i] + pack[i];
  }
  [[gnu::noinline]] static Number sum_of(const Number* pack) {
    return PackOf<Number, Arch>::load(pack).sum();
  }
};

/// For wanted operands that are repeated for all rows.
template <class T, std::size_t N>
[[gnu::noinline]] void begin_sums(Backward<T>& context, const View<const T> (&in)[N],
                                  std::byte* const* memory, unsigned wanted, LongSums<T>* sums) {
  const View<const T> d_out = context.d_out();
  for (std::size_t i = 0; i < N; ++i)
    if (wanted >> i & 1 && in[i].size() != d_out.size() && in[i].rows() != d_out.rows())
      sums[i].begin(context.tape().pool(), reinterpret_cast<T*>(memory[i]), in[i].size(), d_out.rows());
}

}  // namespace detail

template <class F, int N, class Arch = xsimd::default_arch>
struct Pointwise {
  const char* label;
  [[no_unique_address]] F f;

  template <std::size_t>
  using Probe = Dual<Pack<float>, 1u>;
  template <std::size_t... I>
  static std::invoke_result<const F&, Probe<I>...> probe(std::index_sequence<I...>);
  static constexpr int outputs =
      detail::outputs_of<typename decltype(probe(std::make_index_sequence<N>{}))::type>();
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 0;
  static constexpr bool reads_first = true;   // a pack of all inputs is loaded before its slopes are stored
  static constexpr bool takes_memory = true;  // that of all gradients at once

  template <class T>
  auto prepare(const Forward<T>& context) const {
    return Loop<T>(*this, context);
  }
  template <class T>
  void backward(Backward<T>& context) const {
    run_backward(context, Operands{}, Results{});
  }
  void watch(const autograd::Tape& tape, const autograd::Node& node, Index elements,
             std::vector<autograd::Saturation>& found) const {
    SaturationCounter watch(tape, node, elements, found);
    while (watch.next()) [&]<std::size_t... I>(std::index_sequence<I...>) {
        (void)f(watch.operand(I)...);
      }
    (std::make_index_sequence<N>{});
  }

 private:
  using Operands = std::make_index_sequence<N>;
  using Results = std::make_index_sequence<outputs>;

  // Forward over all rows. Where nothing is repeated and all operands are contiguous, they are one long row.
  template <class T>
  class Loop {
   public:
    Loop(const Pointwise& op, const Forward<T>& context) : Loop(op.f, context, Operands{}, Results{}) {}
    void operator()() const { run(Operands{}, Results{}); }

   private:
    template <std::size_t... I, std::size_t... O>
    Loop(const F& function, const Forward<T>& context, std::index_sequence<I...>, std::index_sequence<O...>)
        : Loop(function, {context.in(I)...}, {context.out(O)...}, Operands{}, Results{}) {}
    template <std::size_t... I, std::size_t... O>
    Loop(const F& function, const View<const T> (&in)[N], const View<T> (&out)[outputs],
         std::index_sequence<I...>, std::index_sequence<O...>)
        : f(function),
          flat(((in[I].contiguous() && in[I].size() == out[0].size()) && ...)),
          rows(flat ? 1 : out[0].rows()),
          cols(flat ? out[0].size() : out[0].cols()),
          x{{in[I].data, in[I], rows, out[0].size()}...},
          y{{out[O].data, out[O], rows, out[0].size()}...} {}

    template <std::size_t... I, std::size_t... O>
    void run(std::index_sequence<I...>, std::index_sequence<O...>) const {
      detail::Staged<T> staged[N], results[outputs];
      constexpr Index lanes = Pack<T>::lanes;
      for (Index r = 0; r < rows; ++r) {
        const T* from[] = {x[I].begin(r, staged[I])...};
        T* to[] = {y[O].row(r)...};
        for (Index c = 0; c < cols; c += lanes) {
          const Index count = std::min(lanes, cols - c);
          T* whole[] = {to[O]...};
          if (count < lanes) {
            ((from[I] = x[I].partial(from[I], count, staged[I])), ...);
            ((to[O] = results[O].values), ...);
          }
          const auto result = f(Pack<T>::load(from[I])...);
          (scalar::like(detail::output_of<O>(result), Pack<T>()).store(to[O]), ...);
          if (count < lanes) (y[O].put(results[O].values, whole[O], count, true), ...);
          ((from[I] += x[I].step), ...);
          ((to[O] += lanes), ...);
        }
      }
    }

    [[no_unique_address]] F f;
    bool flat;
    Index rows, cols;
    detail::Stream<const T> x[N];
    detail::Stream<T> y[outputs];
  };

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
    std::byte* memory[N] = {};
    const unsigned fresh = context.d_in(wanted, repeated, memory);
    const Index rows = flat ? 1 : d_out[0].rows(), cols = flat ? size : d_out[0].cols();
    const detail::Stream<const T> x[] = {{in[I].data, in[I], rows, size}...};
    const detail::Stream<const T> dy[] = {{d_out[O].data, d_out[O], rows, size}...};
    Target<T> target[] = {{{reinterpret_cast<T*>(memory[I]), in[I], rows, size},
                           nullptr,
                           nullptr,
                           (wanted >> I & 1) != 0,
                           (fresh >> I & 1) != 0}...};
    std::optional<std::array<LongSums<T>, N>> sums_of_rows;
    if (rows > kPlainSum && repeated != 0)
      detail::begin_sums(context, in, memory, wanted, sums_of_rows.emplace().data());
    if (context.dry()) return;
    for (Target<T>& t : target)
      if (!t.wanted) t.sum.step = 0;  // nowhere plus something is undefined
    detail::Staged<T> staged[N], seeds[outputs], sums[N], parts[N];
    constexpr Index lanes = Pack<T>::lanes;
    for (Index r = 0; r < rows; ++r) {
      const T* from[] = {x[I].begin(r, staged[I])...};
      const T* seed[] = {dy[O].begin(r, seeds[O])...};
      ((target[I].to = target[I].wanted ? target[I].sum.begin_sum(r, sums[I]) : nullptr), ...);
      for (Index c = 0, run = kSumRun; c < cols; c += lanes) {
        if (c == run) {  // a run at a time, for the digits of its sums
          run += kSumRun;
          for (std::size_t i = 0; i < N; ++i)
            if (target[i].wanted) target[i].sum.renew_sum(r, sums[i]);
        }
        const Index count = std::min(lanes, cols - c);
        if (count < lanes) {
          ((from[I] = x[I].partial(from[I], count, staged[I])), ...);
          ((seed[O] = dy[O].partial(seed[O], count, seeds[O])), ...);
          ((target[I].whole = target[I].to, target[I].to = target[I].sum.filled(parts[I].values, T(0))), ...);
        }
        const auto result = f(Dual<Pack<T>, 1u << I>{Pack<T>::load(from[I]), {Pack<T>(1.0)}}...);
        const Pack<T> slopes[] = {Pack<T>::load(seed[O])...};
        (add_slopes<I>(target[I], result, slopes, std::index_sequence<O...>{}), ...);
        if (count < lanes)
          for (std::size_t i = 0; i < N; ++i)
            if (const Target<T>& t = target[i]; t.wanted) t.sum.put(parts[i].values, t.whole, count, t.fresh);
        ((from[I] += x[I].step), ...);
        ((seed[O] += lanes), ...);
        ((target[I].to += target[I].sum.step), ...);
      }
      for (std::size_t i = 0; i < N; ++i)
        if (target[i].wanted) target[i].sum.end_sum(r, sums[i]);
      if (sums_of_rows && (r + 1) % kSumBlock == 0)
        for (LongSums<T>& sum : *sums_of_rows) sum.fold();
    }
    if (sums_of_rows)
      for (LongSums<T>& sum : *sums_of_rows) sum.finish();
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

namespace detail {
template <class X>
concept IsParameter = std::derived_from<X, autograd::Parameter>;

template <class First, class... Rest>
autograd::Tape& tape_of(SourceLocation location, const First& first, const Rest&... rest) {
  if constexpr (IsParameter<First>)
    return tape_of(location, rest...);
  else
    return Var(first).tape(location);
}
template <class X>
Var as_var(autograd::Tape& tape, const X& x) {
  if constexpr (IsParameter<X>)
    return tape.parameter(x);
  else
    return x;
}
}  // namespace detail

/// Applies `f` to all elements. Operands are Vars or Parameters; at least one is a Var. Returns a Var, or an
/// array of them where `f` returns a std::tuple, std::pair or std::array.
template <class F, class... X>
auto pointwise(Label label, F f, const X&... x) {
  if constexpr (!detail::accepts<F, X...>())
    return Var();
  else {
    autograd::Tape& tape = detail::tape_of(label.location, x...);
    using Op = Pointwise<F, static_cast<int>(sizeof...(X))>;
    std::array<Var, sizeof...(X)> inputs{detail::as_var(tape, x)...};
    auto shape = [&](Var x) -> const Shape& { return tape.value(x.index()).shape; };
    for (const Var v : inputs) tape.check(v, label.name, label.location);
    bool equal = true;
    for (const Var v : inputs) equal = equal && shape(v) == shape(inputs[0]);
    std::array<Shape, Op::outputs> shapes;
    shapes.fill(equal ? shape(inputs[0]) : detail::broadcast(tape, inputs, label.name, label.location));
    auto result = tape.record_checked(Op{label.name, f}, inputs, shapes, label.location);
    if constexpr (Op::outputs == 1)
      return result[0];
    else
      return result;
  }
}

}  // namespace unroll::ops

namespace unroll {
using ops::pointwise;
}
