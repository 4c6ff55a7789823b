// Two cells over the same rows, one from the first step on, one from the last: one after the other, or at
// once on the threads of the tape's thread pool.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "nn/recurrence.h"
#include "ops/sub_pass.h"

namespace unroll::nn {

/// The states of two directions.
template <class Forward, class Reverse>
struct BothStates {
  Forward forward;
  Reverse reverse;
};

/// What scan_both() gives: outputs side by side, [N, H1 + H2], and the last state of each direction.
template <class Forward, class Reverse>
struct ScannedBoth {
  PackedSequence outputs;
  Forward last_forward;
  Reverse last_reverse;
  BothStates<Forward, Reverse> last() const { return {last_forward, last_reverse}; }
};

namespace detail {

/// Columns of `a`, then those of `b`.
Var beside(Var a, Var b);

/// One of the two directions.
template <Cell C>
Scanned<StateOf<C>> scan_in(Order order, const C& cell, const PackedSequence& xs,
                            const std::optional<StateOf<C>>& initial, NoiseOfScan noise,
                            SourceLocation location) {
  const auto scope = enter(xs.rows.tape(), cell, order == Order::forward ? "forward" : "reverse", location);
  return called_from(
      location, [&]() -> Scanned<StateOf<C>> { return scan_in_order<1>(cell, xs, order, initial, noise); });
}

/// Whether the tape has threads for two directions, and nobody watches it.
bool has_threads(const Tape& tape);
/// Whether a direction over these rows, with this width of its outputs, is worth a thread.
bool worth_a_thread(const PackedSequence& xs, Index width);

/// One direction as a part of a pass: from the rows, and its first state if that is given, to outputs and
/// last state.
template <Cell C>
struct Direction {
  const C* cell;
  Order order;
  const Layout* layout;
  std::span<const std::uint8_t> resets;
  std::size_t given;         // the first of its state among the inputs; 0 if it is not there
  std::size_t sides, count;  // its side inputs there
  NoiseOfScan noise;
  SourceLocation location;

  void operator()(Tape&, std::span<const Var> in, std::span<Var> out) const {
    std::optional<StateOf<C>> initial;
    if (given > 0) {
      std::size_t next = given;
      initial.emplace();
      for (Var* v : fields(*initial)) *v = in[next++];
    }
    const SideScope inside(side_inputs_of(*cell), in.subspan(sides, count));
    const auto scanned = scan_in(order, *cell, {in[0], layout, resets}, initial, noise, location);
    const auto last = vars(scanned.last);
    out[0] = scanned.outputs.rows;
    std::copy_n(last.begin(), out.size() - 1, out.begin() + 1);
  }
};

/// Both directions as parts of a pass. `first_forward` and `first_reverse` are states like theirs.
template <Cell F, Cell R>
ScannedBoth<StateOf<F>, StateOf<R>> scan_at_once(const F& forward, const R& reverse, const PackedSequence& xs,
                                                 const std::optional<StateOf<F>>& initial_forward,
                                                 const std::optional<StateOf<R>>& initial_reverse,
                                                 StateOf<F> first_forward, StateOf<R> first_reverse,
                                                 SourceLocation location) {
  constexpr std::size_t kForward = field_count<StateOf<F>>, kReverse = field_count<StateOf<R>>;
  const SideInputs sides_forward = side_inputs_of(forward), sides_reverse = side_inputs_of(reverse);
  const std::span<Var> in =
      handles(xs.rows.tape(), static_cast<Index>(1 + kForward + kReverse + sides_forward.list().size() +
                                                 sides_reverse.list().size()));
  in[0] = xs.rows;
  std::size_t inputs = 1;
  auto give = [&](const auto& initial) -> std::size_t {
    if (!initial) return 0;
    const std::size_t first = inputs;
    for (const Var* v : fields(*initial)) in[inputs++] = *v;
    return first;
  };
  auto direction = [&](const auto& cell, Order order, const auto& initial, const SideInputs& sides) {
    const std::size_t given = give(initial), first = inputs;
    for (const Var* v : sides.list()) in[inputs++] = *v;
    return Direction{&cell,   order, xs.layout,           xs.resets,
                     given,   first, sides.list().size(), next_noise(xs.rows.tape()),
                     location};
  };
  const Direction<F> there = direction(forward, Order::forward, initial_forward, sides_forward);
  const Direction<R> back = direction(reverse, Order::reverse, initial_reverse, sides_reverse);
  // Outputs, and the last state: for each direction.
  std::array<std::array<Shape, 1 + std::max(kForward, kReverse)>, 2> shapes;
  std::array<std::array<Var, 1 + std::max(kForward, kReverse)>, 2> results;
  auto part = [&](std::size_t p, const auto& first) -> ops::Part {
    std::size_t count = 0;
    shapes[p][count++] = fields(first)[0]->shape().with(0, xs.layout->rows());
    for (const Var* v : fields(first)) shapes[p][count++] = v->shape();
    return {std::span(shapes[p]).first(count), std::span(results[p]).first(count)};
  };
  ops::parallel(
      xs.rows.tape(), in.first(inputs), {part(0, first_forward), part(1, first_reverse)},
      [there, back](int p, Tape& tape, std::span<const Var> from, std::span<Var> out) {
        p == 0 ? there(tape, from, out) : back(tape, from, out);
      },
      location);
  auto last = [&](std::size_t p, auto& state) {
    std::size_t o = 1;
    for (Var* v : fields(state)) *v = results[p][o++];
  };
  last(0, first_forward);
  last(1, first_reverse);
  return {{beside(results[0][0], results[1][0]), xs.layout, xs.resets}, first_forward, first_reverse};
}

}  // namespace detail

/// Runs one cell forward and one in reverse over the same rows. At once, if the tape has a thread pool of two
/// or more (Tape::use_threads), nobody watches it, and the work is worth a thread: then the cells must not
/// share anything that they change, and gradients are those of one after the other up to rounding.
template <Cell F, Cell R>
ScannedBoth<StateOf<F>, StateOf<R>> scan_both(const F& forward, const R& reverse, const PackedSequence& xs,
                                              const std::optional<StateOf<F>>& initial_forward = {},
                                              const std::optional<StateOf<R>>& initial_reverse = {},
                                              SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  if (Tape& tape = xs.rows.tape(); detail::has_threads(tape)) {
    auto like = [&](const auto& cell, const auto& initial) {
      return detail::called_from(
          location, [&] { return initial ? *initial : detail::initial_of(cell, tape, xs.layout->batch()); });
    };
    const auto state_forward = like(forward, initial_forward);
    const auto state_reverse = like(reverse, initial_reverse);
    if (detail::worth_a_thread(
            xs, std::min(nn::fields(state_forward)[0]->cols(), nn::fields(state_reverse)[0]->cols())))
      return detail::scan_at_once(forward, reverse, xs, initial_forward, initial_reverse, state_forward,
                                  state_reverse, location);
  }
  Tape& tape = xs.rows.tape();
  const auto there =
      detail::scan_in(Order::forward, forward, xs, initial_forward, next_noise(tape), location);
  const auto back = detail::scan_in(Order::reverse, reverse, xs, initial_reverse, next_noise(tape), location);
  return {
      {detail::beside(there.outputs.rows, back.outputs.rows), xs.layout, xs.resets}, there.last, back.last};
}

}  // namespace unroll::nn

namespace unroll {
using nn::scan_both;
}
