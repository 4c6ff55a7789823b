// The time loop. A cell (nn/cell.h) says what one step is; scan() does the rest: any length, ragged batches,
// either direction, carried state. Directions and depth are composed from it in nn/directions.h and
// nn/recurrent.h.
//
//   Scanned<Var> s = scan(cell, {rows, &layout});      rows [N, features], packed
//   s.outputs.rows                                     [N, H]: the first Var of each state
//   s.last                                             [B, H]: each sequence's own last state
#pragma once
#include "autograd/transient.h"
#include "nn/segments.h"
#include "nn/step_outputs.h"
#include "nn/steps.h"

namespace unroll::nn {

/// What scan() gives: the first Var of every state in packed rows [N, ...], and each sequence's own last
/// state [B, ...] in the caller's order.
template <class State>
struct Scanned {
  PackedSequence outputs;
  State last;
};

/// What scan_states() gives: the same, and all Vars of every state in packed rows [N, ...].
template <class State>
struct ScannedStates : Scanned<State> {
  State states;
};

namespace detail {
template <std::size_t Kept, Cell C>
ScannedStates<StateOf<C>> scan_in_order(const C& cell, const PackedSequence& xs, Order order,
                                        const std::optional<StateOf<C>>& initial, NoiseOfScan noise);
}  // namespace detail

/// Runs `cell` over all steps. `initial`, [B, ...] each, is in the caller's order; without it the cell's own
/// is taken. Steps of sequences that have ended are not computed; in reverse order each sequence begins at
/// its own end. Gradients stop after so many steps as Tape::truncate says. On a tape without gradients
/// (Tape::no_gradient) each step works in the memory of the one before: handles of a step end with it.
template <Cell C>
Scanned<StateOf<C>> scan(const C& cell, const PackedSequence& xs, Order order = Order::forward,
                         const std::optional<StateOf<C>>& initial = {},
                         SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  const auto scope = enter(xs.rows.tape(), cell, location);
  return detail::called_from(location, [&]() -> Scanned<StateOf<C>> {
    return detail::scan_in_order<1>(cell, xs, order, initial, next_noise(xs.rows.tape()));
  });
}

/// The same, and the whole state after each step: an LSTM's c, attention weights, whatever a cell puts there.
template <Cell C>
ScannedStates<StateOf<C>> scan_states(const C& cell, const PackedSequence& xs, Order order = Order::forward,
                                      const std::optional<StateOf<C>>& initial = {},
                                      SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  const auto scope = enter(xs.rows.tape(), cell, location);
  return detail::called_from(location, [&] {
    return detail::scan_in_order<field_count<StateOf<C>>>(cell, xs, order, initial,
                                                          next_noise(xs.rows.tape()));
  });
}

/// The same in segments of so many steps, of which only inputs, outputs and the states in between are kept:
/// backward computes each segment again (gradient checkpointing, Chen et al. 2016), one more forward pass for
/// memory of O(T / segment + segment) states. With forward order and equal lengths all gradients have the
/// same bits, but for sums of so many rows that they are made in blocks, of biases from 1,025 rows on
/// (ops/simd/long_sums.h). The cell must outlive the pass, and be a function of its arguments and parameters:
/// backward throws Error where it gives other values the second time.
template <Cell C>
Scanned<StateOf<C>> scan_recomputed(const C& cell, const PackedSequence& xs, Index segment,
                                    Order order = Order::forward,
                                    const std::optional<StateOf<C>>& initial = {},
                                    SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  const auto scope = enter(xs.rows.tape(), cell, location);
  return detail::called_from(location, [&]() -> Scanned<StateOf<C>> {
    const auto first = detail::first_state(cell, xs, initial);
    const auto [outputs, last] = detail::scan_segments(cell, xs, segment, true, order, first, location);
    return {{outputs, xs.layout, xs.resets}, detail::in_callers_order(last, *xs.layout)};
  });
}
/// The last state only: outputs are not kept either.
template <Cell C>
StateOf<C> last_state_recomputed(const C& cell, const PackedSequence& xs, Index segment,
                                 Order order = Order::forward, const std::optional<StateOf<C>>& initial = {},
                                 SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  const auto scope = enter(xs.rows.tape(), cell, location);
  return detail::called_from(location, [&] {
    const auto first = detail::first_state(cell, xs, initial);
    const auto last = detail::scan_segments(cell, xs, segment, false, order, first, location).second;
    return detail::in_callers_order(last, *xs.layout);
  });
}

namespace detail {

// Gathers the first `Kept` Vars of each state.
template <std::size_t Kept, Cell C>
ScannedStates<StateOf<C>> scan_recorded(const C& cell, const PackedSequence& xs, const StepRange& all,
                                        const StateOf<C>& first) {
  const Layout& layout = *xs.layout;
  std::array<std::optional<StepOutputs>, Kept> outputs;
  for (auto& o : outputs) o.emplace(xs.rows.tape(), layout, all);
  const auto states = run(cell, xs.rows, layout, all, first, first, [&](const StateOf<C>& state, Index t) {
    for (std::size_t f = 0; f < Kept; ++f) outputs[f]->add(*fields(state)[f], t);
  });
  ScannedStates<StateOf<C>> result;
  for (std::size_t f = 0; f < Kept; ++f) *fields(result.states)[f] = outputs[f]->value();
  result.last = last_state(states, first, layout, all);
  return result;
}

// On a tape that records no gradients. The first step is outside of a Transient, so that what later steps
// share, such as packed weights, is kept.
template <std::size_t Kept, Cell C>
ScannedStates<StateOf<C>> scan_forward(const C& cell, const PackedSequence& xs, const StepRange& all,
                                       const StateOf<C>& first) {
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  const Steps steps(cell, xs.rows, layout, 0, layout.steps());
  const StateOf<C> memory = map_state(first, [&](Var v) { return tape.snapshot(v); });
  std::array<autograd::GatheredRows, Kept> outputs;
  for (std::size_t f = 0; f < Kept; ++f)
    outputs[f] = {tape, fields(first)[f]->shape().with(0, layout.rows())};
  for (Index s = 0; s < all.size(); ++s) {
    const Index t = all.step(s), now = layout.batch_size(t);
    std::optional<autograd::Transient> transient;
    if (s > 0) transient.emplace(tape);
    const auto time = tape.at_step(all.recurrence, t);
    // Rows without this step hold the first state of sequences to come, or the last of those that have ended.
    const StateOf<C> state = map_state(memory, [&](Var v) { return tape.rows(v, 0, now); });
    const StateOf<C> after = take_step(cell, tape, steps(t), after_resets(state, first, all, layout, t), all,
                                       layout.sequences(), s == 0);
    const auto next = vars(after);
    for (std::size_t f = 0; f < Kept; ++f) outputs[f].copy(next[f], layout.offset(t));
    carry_over(next, vars(state));
  }
  ScannedStates<StateOf<C>> result;
  for (std::size_t f = 0; f < Kept; ++f) *fields(result.states)[f] = outputs[f].value();
  result.last = memory;
  return result;
}

template <std::size_t Kept, Cell C>
ScannedStates<StateOf<C>> scan_in_order(const C& cell, const PackedSequence& xs, Order order,
                                        const std::optional<StateOf<C>>& initial, NoiseOfScan noise) {
  Tape& tape = xs.rows.tape();
  const StateOf<C> first = first_state(cell, xs, initial);
  const StepRange all{0, xs.layout->steps(), order, tape.new_recurrence(), noise, xs.resets};
  auto result = tape.records_gradients() ? scan_recorded<Kept>(cell, xs, all, first)
                                         : scan_forward<Kept>(cell, xs, all, first);
  result.outputs = {*fields(result.states)[0], xs.layout, xs.resets};
  result.last = in_callers_order(result.last, *xs.layout);
  return result;
}

}  // namespace detail

}  // namespace unroll::nn

namespace unroll {
using nn::last_state_recomputed;
using nn::PackedSequence;
using nn::scan;
using nn::scan_recomputed;
using nn::scan_states;
}  // namespace unroll
