// Recurrent layers composed of cells: one direction, both, stacks; and learned initial states.
#pragma once
#include <vector>

#include "nn/directions.h"
#include "nn/layers.h"
#include "ops/elementwise.h"

namespace unroll::nn {

/// One cell in one direction.
template <Cell C>
struct Unidirectional {
  C cell;
  Order order = Order::forward;
  /// Steps of a segment that backward computes again (scan_recomputed); 0 keeps everything.
  Index recompute = 0;

  using State = StateOf<C>;
  static constexpr bool noisy = NoisyCell<C>;
  Scanned<State> operator()(const PackedSequence& xs, const std::optional<State>& initial = {},
                            SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(xs.rows.tape(location), *this, location);
    return recompute > 0 ? scan_recomputed(cell, xs, recompute, order, initial, location)
                         : scan(cell, xs, order, initial, location);
  }
  void members(Members& m) { m("cell", cell); }
};

/// Two cells with weights of their own, one in each direction; outputs side by side.
template <Cell C>
struct Bidirectional {
  C forward, reverse;

  using States = BothStates<StateOf<C>, StateOf<C>>;
  static constexpr bool noisy = NoisyCell<C>;
  ScannedBoth<StateOf<C>, StateOf<C>> operator()(const PackedSequence& xs,
                                                 SourceLocation location = SourceLocation::current()) const {
    return (*this)(xs, std::optional<States>(), location);
  }
  /// From these first states, [B, ...] each, in the caller's order.
  ScannedBoth<StateOf<C>, StateOf<C>> operator()(const PackedSequence& xs,
                                                 const std::optional<States>& initial,
                                                 SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(xs.rows.tape(location), *this, location);
    using One = std::optional<StateOf<C>>;
    return scan_both(forward, reverse, xs, initial ? One(initial->forward) : One(),
                     initial ? One(initial->reverse) : One(), location);
  }
  void members(Members& m) { m("forward", forward), m("reverse", reverse); }
};

namespace detail {
// What a layer carries: the states of one direction, or of both.
struct NoState {};
template <class Layer>
struct LayerState {
  using type = NoState;
};
template <class Layer>
requires requires { typename Layer::States; }
struct LayerState<Layer> {
  using type = typename Layer::States;
};
template <class Layer>
requires requires { typename Layer::State; }
struct LayerState<Layer> {
  using type = typename Layer::State;
};
template <class Scanned>
auto last_of(const Scanned& s) {
  if constexpr (requires { s.last(); })
    return s.last();
  else
    return s.last;
}
template <class Layer>
inline constexpr bool is_noisy = [] {
  if constexpr (requires { Layer::noisy; })
    return Layer::noisy;
  else
    return false;
}();
}  // namespace detail

/// What Stack::with_states() gives: what the top layer puts out, and the last state of every layer.
template <class State>
struct ScannedStack {
  PackedSequence outputs;
  std::vector<State> last;
};

/// Layers on top of each other: Stack<Unidirectional<Lstm>> or Stack<Bidirectional<Gru>>.
template <class Layer>
struct Stack {
  std::vector<Layer> layers;
  Dropout dropout{0};     // between layers
  bool residual = false;  // each layer's output is added to its input where their widths agree

  using LayerState = typename detail::LayerState<Layer>::type;

  /// From the first states of all layers, with their gradients (the cells' own where none are given), to the
  /// last ones: an encoder's are a decoder's.
  ScannedStack<LayerState> with_states(PackedSequence xs, const std::vector<LayerState>& initial = {},
                                       Generator* noise = nullptr,
                                       SourceLocation location = SourceLocation::current()) const {
    if (!initial.empty() && initial.size() != layers.size())
      autograd::fail("stack",
                     std::to_string(initial.size()) + " states came for " + std::to_string(layers.size()) +
                         " layers; needed one for each, or none",
                     location);
    ScannedStack<LayerState> result;
    result.outputs =
        through(xs, noise, location, [&](std::size_t i, const PackedSequence& in) {
          auto scanned = layers[i](in, initial.empty() ? std::optional<LayerState>() : initial[i], location);
          result.last.push_back(detail::last_of(scanned));
          return scanned;
        }).outputs;
    return result;
  }
  /// What the top layer gives. Dropout, and noise in the cells, are applied only with a generator.
  auto operator()(PackedSequence xs, Generator* noise = nullptr,
                  SourceLocation location = SourceLocation::current()) const {
    return through(xs, noise, location, [&](std::size_t i, const PackedSequence& in) {
      if constexpr (requires { typename Layer::State; })
        return layers[i](in, {}, location);
      else
        return layers[i](in, location);
    });
  }
  /// The same from the states that `from` holds (the cells' own if it is empty), leaving the new ones in
  /// `to`; they may be one.
  auto operator()(PackedSequence xs, const Carry& from, Carry& to, Generator* noise = nullptr,
                  SourceLocation location = SourceLocation::current()) const requires requires {
    typename Layer::State;
  }
  {
    using State = typename Layer::State;
    const bool first = from.empty();
    return through(xs, noise, location, [&](std::size_t i, const PackedSequence& in) {
      std::optional<State> initial;
      if (!first) initial = from.load<State>(i, in.rows.tape());
      auto result = layers[i](in, initial, location);
      to.store(i, result.last);
      return result;
    });
  }
  auto operator()(PackedSequence xs, Carry& carry, Generator* noise = nullptr,
                  SourceLocation location = SourceLocation::current()) const requires requires {
    typename Layer::State;
  }
  { return (*this)(xs, carry, carry, noise, location); }
  void members(Members& m) { m("layers", layers); }

 private:
  template <class Apply>
  auto through(PackedSequence xs, Generator* noise, SourceLocation location, Apply apply) const {
    if (layers.empty()) autograd::fail("stack", "no layers came; needed at least one", location);
    const auto scope = enter(xs.rows.tape(location), *this, location);
    std::optional<Training> training;
    if constexpr (detail::is_noisy<Layer>)
      if (noise) training.emplace(xs.rows.tape(), noise->next());
    for (std::size_t i = 0;; ++i) {
      auto result = apply(i, xs);
      if (residual && result.outputs.rows.cols() == xs.rows.cols())
        result.outputs.rows = result.outputs.rows + xs.rows;
      if (i + 1 == layers.size()) return result;
      xs = dropout(result.outputs, noise, location);
    }
  }
};

/// A trainable first state, the same for every sequence; zero to begin with.
template <Cell C>
struct LearnedState {
  std::vector<Parameter> rows;  // one [1, width] for each Var of the state

  explicit LearnedState(const C& cell) {
    Tape tape;
    auto zero = cell.initial(tape, 1);
    for (const Var* v : fields(zero)) rows.emplace_back("state", v->shape());
  }
  StateOf<C> operator()(const C& cell, Tape& tape, Index batch) const {
    std::size_t i = 0;
    return map_state(cell.initial(tape, batch), [&](Var v) { return v + rows[i++]; });
  }
  void members(Members& m) { m("state", rows); }
};

}  // namespace unroll::nn

namespace unroll {
using nn::Bidirectional;
using nn::LearnedState;
using nn::Stack;
using nn::Unidirectional;
}  // namespace unroll
