// The time loop. A cell says three things; scan() does the rest.
//
//   struct MyCell {
//     Var project(Var xs) const;                    what does not depend on the past, for all steps at once
//     Var step(Projected x, Var h) const;           one step
//     Var initial(Tape& tape, Index batch) const;   the state before the first step, usually zeros
//     void members(Members& m);                     its parameters
//   };
//
// The state is a Var or a struct of up to four; its first Var is the output. Everything else, such as
// directions, depth, ragged batches and carried state, is the business of this file and of nn/layers.h.
#pragma once
#include <concepts>
#include <new>
#include <optional>
#include <span>

#include "nn/module.h"
#include "nn/projected.h"
#include "nn/state.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/paste.h"

namespace unroll::nn {

using autograd::Tape;
using ops::Layout;

/// Packed rows [N, F] with their layout, which must outlive the pass.
struct Sequence {
  Var rows;
  const Layout* layout;
};

enum class Order { forward, reverse };

template <class C>
using StateOf = decltype(std::declval<const C&>().initial(std::declval<Tape&>(), Index{1}));

template <class C>
concept Cell = requires(const C& cell, Var xs, Tape& tape, StateOf<C> state) {
  { cell.project(xs) } -> std::convertible_to<Var>;
  { cell.step(std::declval<Projected>(), state) } -> std::convertible_to<StateOf<C>>;
};

/// What scan() gives: the first Var of every state in packed rows [N, H], and each sequence's own last state
/// [B, ...] in the caller's order.
template <class State>
struct Scanned {
  Sequence outputs;
  State last;
};

/// The same for two cells in opposite orders: their outputs side by side, [N, H1 + H2].
template <class Forward, class Reverse>
struct ScannedBoth {
  Sequence outputs;
  Forward last_forward;
  Reverse last_reverse;
};

namespace detail {

/// f(); adds the caller's line to an error in a cell.
template <class F>
auto called_from(Where where, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw error.called_from(where);
  }
}

/// Throws unless xs are the rows of its layout.
void check_sequence(const Sequence& xs, Where where);
/// Throws unless one field of a given state has a row for each sequence.
void check_state(Var field, Index batch);
/// Rows of `a`, then those of `b`.
Var rows_after(Var a, Var b);
/// Columns of `a`, then those of `b`.
Var beside(Var a, Var b);
/// Rows in the order of `index`; x itself if that changes nothing.
Var permuted(Var x, std::span<const int> index, bool identity);

/// Values put side by side into one result, in one op.
class Collage {
 public:
  Collage(Tape& tape, Index capacity);
  void add(Var piece, Index row, Index column);
  Var paste(const Shape& result) const;

 private:
  Tape& tape_;
  Var* pieces_;
  ops::Place* places_;
  std::size_t count_ = 0;
};

/// Gives a cell its time steps, in the memory of `projected` if project() made it and nobody else has seen
/// it.
class Steps {
 public:
  Steps(Var projected, std::size_t values_before, const Layout& layout);
  Projected operator()(Index t) const;

 private:
  Var rows_;
  bool in_place_;
  const Layout& layout_;
};

/// Runs the cell over time; returns the state after each step t, with rows for the sequences alive then.
template <Cell C>
std::span<const StateOf<C>> run(const C& cell, const Sequence& xs, Order order,
                                const std::optional<StateOf<C>>& given) {
  using State = StateOf<C>;
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  if (given)
    for (const Var* field : fields(*given)) check_state(*field, layout.batch());
  const std::size_t before = tape.values().size();
  const Steps steps(cell.project(xs.rows), before, layout);
  const State initial =
      given ? map_state(*given, [&](Var v) { return permuted(v, layout.sequences(), layout.sorted()); })
            : cell.initial(tape, layout.batch());
  const Index last = layout.steps() - 1;
  State* states = tape.arena().template allocate_array<State>(static_cast<std::size_t>(last + 1));
  State state = initial;
  Index alive = layout.batch();
  for (Index s = 0; s <= last; ++s) {
    const Index t = order == Order::forward ? s : last - s;
    const auto time = tape.at_step(t);
    const Index now = layout.alive(t);
    if (now < alive) {  // some have ended, or not begun: the rest are a prefix
      state = map_state(state, [&](Var v) { return tape.rows(v, 0, now); });
    } else if (now > alive) {  // some begin, at their own end
      auto first = fields(initial);
      std::size_t f = 0;
      state =
          map_state(state, [&](Var v) { return rows_after(v, tape.rows(*first[f++], alive, now - alive)); });
    }
    alive = now;
    state = cell.step(steps(t), state);
    new (&states[t]) State(state);
  }
  return {states, static_cast<std::size_t>(last + 1)};
}

/// Puts the outputs of all steps into columns of a collage.
template <class State>
void collect(std::span<const State> states, const Layout& layout, Index column, Collage& into) {
  for (std::size_t t = 0; t < states.size(); ++t)
    into.add(*fields(states[t])[0], layout.offset(static_cast<Index>(t)), column);
}

/// The last state of each sequence, in the caller's order.
template <class State>
State last_state(std::span<const State> states, const Layout& layout, Order order) {
  const Index steps = layout.steps();
  State last = order == Order::reverse ? states.front() : states.back();
  if (order == Order::forward && layout.alive(steps - 1) < layout.batch())
    for (std::size_t f = 0; f < fields(last).size(); ++f) {
      auto field = [&](Index t) { return *fields(states[static_cast<std::size_t>(t)])[f]; };
      Tape& tape = field(0).tape();
      Collage ends(tape, steps);
      for (Index t = 0; t < steps; ++t) {
        const Index going_on = layout.alive(t + 1), ending = layout.alive(t) - going_on;
        if (ending > 0) ends.add(tape.rows(field(t), going_on, ending), going_on, 0);
      }
      *fields(last)[f] = ends.paste(field(0).shape());
    }
  return map_state(last, [&](Var v) { return permuted(v, layout.ranks(), layout.sorted()); });
}

template <class State>
Index width(std::span<const State> states) {
  return fields(states[0])[0]->cols();
}

}  // namespace detail

/// Runs `cell` over all steps. `initial`, [B, ...] each, is in the caller's order; without it the cell's own
/// is taken. Steps of sequences that have ended are not computed; in reverse order each sequence begins at
/// its own end.
template <Cell C>
Scanned<StateOf<C>> scan(const C& cell, const Sequence& xs, Order order = Order::forward,
                         const std::optional<StateOf<C>>& initial = {}, Where where = Where::here()) {
  detail::check_sequence(xs, where);
  const auto states = detail::called_from(where, [&] { return detail::run(cell, xs, order, initial); });
  detail::Collage outputs(xs.rows.tape(), xs.layout->steps());
  detail::collect(states, *xs.layout, 0, outputs);
  return {{outputs.paste(Shape{xs.layout->rows(), detail::width(states)}), xs.layout},
          detail::last_state(states, *xs.layout, order)};
}

/// Runs one cell forward and one in reverse over the same rows.
template <Cell F, Cell R>
ScannedBoth<StateOf<F>, StateOf<R>> scan_both(const F& forward, const R& reverse, const Sequence& xs,
                                              const std::optional<StateOf<F>>& initial_forward = {},
                                              const std::optional<StateOf<R>>& initial_reverse = {},
                                              Where where = Where::here()) {
  detail::check_sequence(xs, where);
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  auto run_in = [&](const char* name, const auto& cell, Order order, const auto& initial) {
    const auto scope = tape.scope(name);
    return detail::called_from(where, [&] { return detail::run(cell, xs, order, initial); });
  };
  const auto there = run_in("forward", forward, Order::forward, initial_forward);
  const auto back = run_in("reverse", reverse, Order::reverse, initial_reverse);
  const Index left = detail::width(there), right = detail::width(back);
  detail::Collage outputs(tape, 2 * layout.steps());
  detail::collect(there, layout, 0, outputs);
  detail::collect(back, layout, left, outputs);
  return {{outputs.paste(Shape{layout.rows(), left + right}), &layout},
          detail::last_state(there, layout, Order::forward),
          detail::last_state(back, layout, Order::reverse)};
}

}  // namespace unroll::nn

namespace unroll {
using nn::Order;
using nn::scan;
using nn::scan_both;
using nn::Sequence;
}  // namespace unroll
