// The steps of a scan: what each is given, and what becomes of the states.
#pragma once
#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string_view>

#include "autograd/transient.h"
#include "nn/cell.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/layout.h"

namespace unroll::nn::detail {

/// f(); adds the caller's line to an error in a cell.
template <class F>
auto called_from(SourceLocation location, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw error.called_from(location);
  }
}

/// Throws unless one field of a given state has a row for each sequence.
void check_state(Var field, Index batch);
/// Throws unless `steps` >= 1.
void check_segment(Index steps, SourceLocation location);
/// Of a cell that a step has changed.
[[noreturn]] void reject_changed(std::string_view cell);
/// Throws unless xs are the rows of its layout.
void check_sequence(const PackedSequence& xs, SourceLocation location);
/// Rows in the order of `index`; x itself if that changes nothing.
Var permuted(Var x, std::span<const int> index, bool identity);
/// Handles in the arena of a tape, which asks nothing of the heap.
std::span<Var> handles(Tape& tape, Index count);
/// Rows of each piece, one after the other; the piece itself if it is the only one.
Var joined(std::span<const Var> pieces);
/// Gives each of `to` the values in `from` at its place, all at once: a state may hand one of its Vars on to
/// another.
void carry_over(std::span<const Var> from, std::span<const Var> to);

/// Steps [begin, end) of a scan.
struct StepRange {
  Index begin, end;
  Order order;
  std::uint32_t recurrence;  // its number: Tape::new_recurrence
  NoiseOfScan noise{};
  std::span<const std::uint8_t> resets{};
  bool again = false;  // backward computes them again: the cell must be a function of its arguments
  Index size() const { return end - begin; }
  /// The step that is the s-th in order.
  Index step(Index s) const { return order == Order::forward ? begin + s : end - 1 - s; }
};

/// Gives a cell the steps of a range, in the memory of what project() made if nobody else has seen it.
class Steps {
 public:
  /// Calls project(xs), xs being the packed rows of the range, and checks what comes.
  template <Cell C>
  Steps(const C& cell, Var xs, const Layout& layout, Index begin, Index end)
      : layout_(layout), begin_(begin) {
    const std::size_t before = xs.tape().values().size();
    const Var projected = cell.project(xs);
    check_projected(projected, layout.offset(end) - layout.offset(begin), cell_name<C>());
    cut(projected, projected.index() >= before, end);
  }
  Projected operator()(Index t) const;

 private:
  void cut(Var projected, bool is_new, Index end);
  std::span<const Var> rows_;  // of each step
  bool in_place_ = false;
  const Layout& layout_;
  Index begin_;
};

/// The state before the first step, in the order of ranks.
template <Cell C>
StateOf<C> first_state(const C& cell, const PackedSequence& xs, const std::optional<StateOf<C>>& given) {
  const Layout& layout = *xs.layout;
  if (!given) return initial_of(cell, xs.rows.tape(), layout.batch());
  for (const Var* field : fields(*given)) check_state(*field, layout.batch());
  return map_state(*given, [&](Var v) { return permuted(v, layout.sequences(), layout.sorted()); });
}

/// Bits of rows [0, count) that begin anew before step t, from PackedSequence::resets; empty if none does.
std::span<const std::uint8_t> resets_at(const StepRange& range, const Layout& layout, Index t, Index count);
/// Rows of `first` where `resets` is not 0, else of `v`, which is [rows, ...].
Var reset_rows(Var v, Var first, std::span<const std::uint8_t> resets);

/// The state before step t where some sequences begin anew.
template <class State>
State after_resets(const State& state, const State& first, const StepRange& range, const Layout& layout,
                   Index t) {
  if (range.resets.empty()) return state;
  const std::span<const std::uint8_t> resets = resets_at(range, layout, t, layout.batch_size(t));
  if (resets.empty()) return state;
  std::size_t f = 0;
  const auto initial = vars(first);
  return map_state(state, [&](Var v) { return reset_rows(v, initial[f++], resets); });
}

/// The time step that is recorded, for whom it is not news that it is looked at.
inline std::int32_t time_of(const Tape& tape) { return static_cast<std::int32_t>(tape.context().time); }

/// A state in the caller's order of sequences.
template <class State>
State in_callers_order(const State& state, const Layout& layout) {
  return map_state(state, [&](Var v) { return permuted(v, layout.ranks(), layout.sorted()); });
}

/// One step of the cell; what it gives is checked. `sequences`: of each row, for noise.
template <Cell C>
StateOf<C> checked_step(const C& cell, Tape& tape, Projected x, const StateOf<C>& state,
                        const StepRange& range, [[maybe_unused]] std::span<const int> sequences) {
  const StateOf<C> next = [&]() -> StateOf<C> {
    if constexpr (NoisyCell<C>)
      return cell.step(std::move(x), state, Noise(range.noise, time_of(tape), sequences));
    else
      return cell.step(std::move(x), state);
  }();
  const auto before = fields(state), after = fields(next);
  for (std::size_t f = 0; f < after.size(); ++f)
    if (!follows(*after[f], *before[f], tape)) [[unlikely]]
      reject_step(*after[f], *before[f], tape, cell_name<C>());
  return next;
}

/// The same, of which those who watch the tape are told.
template <Cell C>
StateOf<C> take_step(const C& cell, Tape& tape, Projected x, const StateOf<C>& state, const StepRange& range,
                     std::span<const int> sequences, bool first) {
  const bool attended = tape.attended();
  if (attended) announce_step(tape, {range.order == Order::reverse, first, vars(state)});
  const StateOf<C> next = [&]() -> StateOf<C> {
    if (!range.again) return checked_step(cell, tape, std::move(x), state, range, sequences);
    const autograd::HandleScope within(tape);
    return map_state(checked_step(cell, tape, std::move(x), state, range, sequences),
                     [&](Var v) { return within.keep(v); });
  }();
  if (attended) announce_state(tape, vars(next));
  return next;
}

/// What a cell is as the first step begins. Holds the bytes of the object: those that members refer to may
/// still change unseen.
template <Cell C>
class Unchanging {
 public:
  explicit Unchanging(const C& cell) : cell_(cell) { std::memcpy(bytes_, &cell, sizeof(C)); }
  /// Throws Error if it has become another.
  void check() const {
    if (std::memcmp(bytes_, &cell_, sizeof(C)) != 0) reject_changed(cell_name<C>());
  }

 private:
  const C& cell_;
  std::byte bytes_[sizeof(C)];
};

/// Runs the cell over the rows `xs` of a range; returns the state after each of its steps, with rows for the
/// sequences that have the step. `initial` and `first`, which is what resets lead to, have rows for all.
/// Calls each(state, t) after a step.
template <Cell C, class Each>
std::span<const StateOf<C>> run(const C& cell, Var xs, const Layout& layout, StepRange range,
                                const StateOf<C>& initial, const StateOf<C>& first_state, Each each) {
  using State = StateOf<C>;
  Tape& tape = xs.tape();
  const Steps steps(cell, xs, layout, range.begin, range.end);
  std::optional<Unchanging<C>> unchanging;
  if (range.again) unchanging.emplace(cell);
  const auto count = static_cast<std::size_t>(range.size());
  State* states = tape.arena().template allocate_array<State>(count);
  State state = initial;
  const Index first = range.order == Order::forward ? 0 : layout.steps() - 1;
  Index alive = layout.batch();
  for (Index s = 0; s < range.size(); ++s) {
    const Index t = range.step(s);
    const auto time = tape.at_step(range.recurrence, t);
    const Index now = layout.batch_size(t);
    if (now < alive) {  // some have ended, or not begun: the rest are a prefix
      state = map_state(state, [&](Var v) { return tape.rows(v, 0, now); });
    } else if (now > alive) {  // some begin, at their own end
      auto unborn = fields(initial);
      std::size_t f = 0;
      state = map_state(state, [&](Var v) {
        return ops::concat({v, tape.rows(*unborn[f++], alive, now - alive)}, 0);
      });
    }
    alive = now;
    if (s > 0 && tape.truncation() > 0 && s % tape.truncation() == 0)
      state = map_state(state, [&](Var v) { return tape.stop_gradient(v); });
    state = after_resets(state, first_state, range, layout, t);
    state = take_step(cell, tape, steps(t), state, range, layout.sequences(), t == first);
    new (&states[t - range.begin]) State(state);
    each(state, t);
  }
  if (unchanging) unchanging->check();
  return {states, count};
}

/// The last state of each sequence in a range, of its initial state where it has no step there; in the order
/// of ranks.
template <class State>
State last_state(std::span<const State> states, const State& initial, const Layout& layout,
                 const StepRange& range) {
  const Index alive = layout.batch_size(range.begin), batch = layout.batch();
  const bool all_go_on = range.order == Order::reverse || layout.batch_size(range.end - 1) == alive;
  State last = range.order == Order::reverse ? states.front() : states.back();
  if (all_go_on && alive == batch) return last;
  for (std::size_t f = 0; f < field_count<State>; ++f) {
    auto field = [&](Index t) { return *fields(states[static_cast<std::size_t>(t - range.begin)])[f]; };
    Tape& tape = field(range.begin).tape();
    const std::span<Var> ends = handles(tape, range.size() + 2);  // what ends later lies before
    std::size_t count = 0;
    for (Index t = range.end; t-- > range.begin && !all_go_on;) {
      const Index going_on = t + 1 < range.end ? layout.batch_size(t + 1) : 0;
      if (const Index ending = layout.batch_size(t) - going_on; ending > 0)
        ends[count++] = tape.rows(field(t), going_on, ending);
    }
    if (all_go_on) ends[count++] = *fields(last)[f];
    if (alive < batch) ends[count++] = tape.rows(*fields(initial)[f], alive, batch - alive);
    *fields(last)[f] = joined(ends.first(count));
  }
  return last;
}

}  // namespace unroll::nn::detail
