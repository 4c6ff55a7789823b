// What a recurrent cell is.
//
//   struct MyCell {
//     Var project(Var xs) const;                    what does not depend on the past, for all steps at once
//     Var step(Projected x, Var h) const;           one step
//     Var initial(Tape& tape, Index batch) const;   the state before the first step, usually zeros
//     void members(Members& m);                     its parameters
//   };
//
// The state is a Var, or Vars in structs and std::arrays; its first Var is the output. Each has a row for
// each sequence, [B, ...].
#pragma once
#include <concepts>
#include <utility>

#include "nn/module.h"
#include "nn/noise.h"
#include "nn/projected.h"
#include "nn/sequence.h"
#include "nn/side_inputs.h"
#include "nn/state.h"

namespace unroll::nn {

using autograd::Tape;
using ops::Layout;

enum class Order { forward, reverse };

template <class C>
using StateOf = decltype(std::declval<const C&>().initial(std::declval<Tape&>(), Index{1}));

/// A cell whose steps take noise.
template <class C>
concept NoisyCell = requires(const C& cell, Var xs, StateOf<C> state, const Noise& noise) {
  { cell.project(xs) } -> std::convertible_to<Var>;
  { cell.step(std::declval<Projected>(), state, noise) } -> std::convertible_to<StateOf<C>>;
};

template <class C>
concept Cell = NoisyCell<C> || requires(const C& cell, Var xs, StateOf<C> state) {
  { cell.project(xs) } -> std::convertible_to<Var>;
  { cell.step(std::declval<Projected>(), state) } -> std::convertible_to<StateOf<C>>;
};

namespace detail {

/// Throws Error unless what a cell gave fits: the rows of project(), and each Var of a state. `name` is that
/// of the cell's type.
void check_projected(Var projected, Index rows, std::string_view cell);
void check_initial(std::span<const Var> state, Tape& tape, Index batch, std::string_view cell);
[[noreturn]] void reject_step(Var next, Var before, Tape& tape, std::string_view cell);

/// Whether the Var that a step gave goes on from `before`: of the same shape, on the same tape.
inline bool follows(Var next, Var before, const Tape& tape) {
  return next.defined() && next.index() < tape.values().size() &&
         tape.value(next.index()).shape == tape.value(before.index()).shape;
}

template <class C>
std::string_view cell_name() {
  return module_type<C>().name;
}

/// The first state of a cell, in the order of ranks.
template <Cell C>
StateOf<C> initial_of(const C& cell, Tape& tape, Index batch) {
  const StateOf<C> state = cell.initial(tape, batch);
  check_initial(vars(state), tape, batch, cell_name<C>());
  return state;
}

}  // namespace detail

}  // namespace unroll::nn

namespace unroll {
using nn::Order;
}
