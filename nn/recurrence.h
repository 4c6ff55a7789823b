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
#include <algorithm>
#include <array>
#include <concepts>
#include <new>
#include <optional>
#include <span>

#include "autograd/replay.h"
#include "nn/module.h"
#include "nn/projected.h"
#include "nn/sequence.h"
#include "nn/state.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/paste.h"
#include "ops/recompute.h"

namespace unroll::nn {

using autograd::Tape;
using ops::Layout;

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
  PackedSequence outputs;
  State last;
};

namespace detail {

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
/// Throws unless xs are the rows of its layout.
void check_sequence(const PackedSequence& xs, SourceLocation location);
/// Rows of `a`, then those of `b`.
Var rows_after(Var a, Var b);
/// Rows in the order of `index`; x itself if that changes nothing.
Var permuted(Var x, std::span<const int> index, bool identity);

/// Values put side by side into one result, by one op that copies them.
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

/// Gives a cell its time steps [begin, end), in the memory of `projected` if project() made it and nobody
/// else has seen it.
class Steps {
 public:
  Steps(Var projected, std::size_t values_before, const Layout& layout, Index begin, Index end);
  Projected operator()(Index t) const;

 private:
  std::span<const Var> rows_;  // of each step
  bool in_place_ = false;
  const Layout& layout_;
  Index begin_;
};

/// Steps [begin, end) of a scan.
struct StepRange {
  Index begin, end;
  Order order;
  std::uint32_t recurrence;  // its number: Tape::new_recurrence
  Index size() const { return end - begin; }
  /// The step that is the s-th in order.
  Index step(Index s) const { return order == Order::forward ? begin + s : end - 1 - s; }
};

/// The state before the first step, in the order of ranks.
template <Cell C>
StateOf<C> first_state(const C& cell, const PackedSequence& xs, const std::optional<StateOf<C>>& given) {
  const Layout& layout = *xs.layout;
  if (!given) return cell.initial(xs.rows.tape(), layout.batch());
  for (const Var* field : fields(*given)) check_state(*field, layout.batch());
  return map_state(*given, [&](Var v) { return permuted(v, layout.sequences(), layout.sorted()); });
}

template <class State>
std::array<Var, 4> list(const State& state) {
  std::array<Var, 4> vars;
  std::size_t i = 0;
  for (const Var* v : fields(state)) vars[i++] = *v;
  return vars;
}

/// The outputs of all steps of a segment in packed rows. Each is moved there when its step is done
/// (Tape::move_in), so that it takes memory once; where that cannot be, they are copied at the end.
class OutputRows {
 public:
  OutputRows(Tape& tape, const Layout& layout, const StepRange& segment);
  void add(Var output, Index t);
  /// After the last step.
  Var value() const;

 private:
  Tape& tape_;
  const Layout& layout_;
  Index begin_, rows_;
  bool single_;  // step, whose output is the value
  Collage pieces_;
  Var first_, whole_;
  bool moved_ = false;
};

/// One step of the cell, of which those who watch the tape are told.
template <Cell C>
StateOf<C> take_step(const C& cell, Projected x, const StateOf<C>& state, const StepRange& segment,
                     bool first) {
  Tape& tape = fields(state)[0]->tape();
  if (!tape.attended()) return cell.step(std::move(x), state);
  const std::size_t count = fields(state).size();
  const auto before = list(state);
  tape.announce_step({segment.order == Order::reverse, first, std::span(before).first(count)});
  const StateOf<C> next = cell.step(std::move(x), state);
  const auto after = list(next);
  tape.announce_state(std::span(after).first(count));
  return next;
}

/// Runs the cell over the rows `xs` of a segment; returns the state after each of its steps, with rows for
/// the sequences alive then. `initial` has rows for all. Adds to `outputs` if there are any.
template <Cell C>
std::span<const StateOf<C>> run(const C& cell, Var xs, const Layout& layout, StepRange segment,
                                const StateOf<C>& initial, OutputRows* outputs) {
  using State = StateOf<C>;
  Tape& tape = xs.tape();
  const std::size_t before = tape.values().size();
  const Steps steps(cell.project(xs), before, layout, segment.begin, segment.end);
  const auto count = static_cast<std::size_t>(segment.size());
  State* states = tape.arena().template allocate_array<State>(count);
  State state = initial;
  const Index first = segment.order == Order::forward ? 0 : layout.steps() - 1;
  Index alive = layout.batch();
  for (Index s = 0; s < segment.size(); ++s) {
    const Index t = segment.step(s);
    const auto time = tape.at_step(segment.recurrence, t);
    const Index now = layout.batch_size(t);
    if (now < alive) {  // some have ended, or not begun: the rest are a prefix
      state = map_state(state, [&](Var v) { return tape.rows(v, 0, now); });
    } else if (now > alive) {  // some begin, at their own end
      auto unborn = fields(initial);
      std::size_t f = 0;
      state =
          map_state(state, [&](Var v) { return rows_after(v, tape.rows(*unborn[f++], alive, now - alive)); });
    }
    alive = now;
    if (s > 0 && tape.truncation() > 0 && s % tape.truncation() == 0)
      state = map_state(state, [&](Var v) { return tape.stop_gradient(v); });
    state = take_step(cell, steps(t), state, segment, t == first);
    new (&states[t - segment.begin]) State(state);
    if (outputs) outputs->add(*fields(state)[0], t);
  }
  return {states, count};
}

/// The last state of each sequence in a segment, of its initial state where it has no step there; in the
/// order of ranks.
template <class State>
State last_state(std::span<const State> states, const State& initial, const Layout& layout,
                 const StepRange& segment) {
  const Index alive = layout.batch_size(segment.begin), batch = layout.batch();
  const bool all_go_on = segment.order == Order::reverse || layout.batch_size(segment.end - 1) == alive;
  State last = segment.order == Order::reverse ? states.front() : states.back();
  if (all_go_on && alive == batch) return last;
  for (std::size_t f = 0; f < fields(last).size(); ++f) {
    auto field = [&](Index t) { return *fields(states[static_cast<std::size_t>(t - segment.begin)])[f]; };
    Tape& tape = field(segment.begin).tape();
    Collage ends(tape, segment.size() + 1);
    if (all_go_on) ends.add(*fields(last)[f], 0, 0);
    for (Index t = segment.begin; t < segment.end && !all_go_on; ++t) {
      const Index going_on = t + 1 < segment.end ? layout.batch_size(t + 1) : 0;
      if (const Index ending = layout.batch_size(t) - going_on; ending > 0)
        ends.add(tape.rows(field(t), going_on, ending), going_on, 0);
    }
    if (alive < batch) ends.add(tape.rows(*fields(initial)[f], alive, batch - alive), alive, 0);
    *fields(last)[f] = ends.paste(Shape{batch, fields(last)[f]->cols()});
  }
  return last;
}

/// A state in the caller's order of sequences.
template <class State>
State in_callers_order(const State& state, const Layout& layout) {
  return map_state(state, [&](Var v) { return permuted(v, layout.ranks(), layout.sorted()); });
}

/// A leaf [rows, cols] to be written to.
Var unwritten(Tape& tape, Index rows, Index cols);
/// Gives each of `to` the numbers of the value in `from` at its place, all at once: a state may hand one of
/// its Vars on to another.
void carry_over(std::span<const Var> from, std::span<const Var> to);

/// The scan on a tape that records no gradients: every step in the memory of the one before. The first is
/// outside of a frame, so that what later steps share, such as packed weights, is kept.
template <Cell C>
Scanned<StateOf<C>> scan_forward(const C& cell, const PackedSequence& xs, Order order,
                                 const StateOf<C>& initial) {
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  const StepRange all{0, layout.steps(), order, tape.new_recurrence()};
  const std::size_t before = tape.values().size();
  const Steps steps(cell.project(xs.rows), before, layout, 0, layout.steps());
  const StateOf<C> memory = map_state(initial, [&](Var v) { return tape.snapshot(v); });
  const Var out = unwritten(tape, layout.rows(), fields(initial)[0]->cols());
  const std::size_t count = fields(initial).size();
  for (Index s = 0; s < all.size(); ++s) {
    const Index t = all.step(s), now = layout.batch_size(t);
    std::optional<Tape::Frame> frame;
    if (s > 0) frame.emplace(tape);
    const auto time = tape.at_step(all.recurrence, t);
    // Rows that are not alive hold the first state of sequences to come, or the last of those that have
    // ended.
    const StateOf<C> state = map_state(memory, [&](Var v) { return tape.rows(v, 0, now); });
    const StateOf<C> after = take_step(cell, steps(t), state, all, s == 0);
    const auto next = list(after), place = list(state);
    carry_over(std::span(next).first(1), std::array{tape.rows(out, layout.offset(t), now)});
    carry_over(std::span(next).first(count), std::span(place).first(count));
  }
  return {{out, &layout}, in_callers_order(memory, layout)};
}

/// A segment as a part of a pass that is computed again in backward: from rows of xs and a state, outputs (if
/// asked for) and the next state (all but the first `skipped` Vars).
template <Cell C>
struct RecomputedSegment {
  const C* cell;
  const Layout* layout;
  StepRange segment;
  bool wants_outputs;
  std::size_t skipped;

  void operator()(Tape& tape, std::span<const Var> in, std::span<Var> out) const {
    auto initial = cell->initial(tape, layout->batch());
    std::size_t i = 1;
    for (Var* v : fields(initial)) *v = in[i++];
    OutputRows outputs(tape, *layout, segment);
    const auto states = run(*cell, in[0], *layout, segment, initial, wants_outputs ? &outputs : nullptr);
    std::size_t o = 0;
    if (wants_outputs) out[o++] = outputs.value();
    const auto last = list(last_state(states, initial, *layout, segment));
    for (std::size_t f = skipped; f < fields(initial).size(); ++f) out[o++] = last[f];
  }
};

/// Runs the segments one after the other. Returns the outputs, if asked for, and the last state.
template <Cell C>
Scanned<StateOf<C>> scan_segments(const C& cell, const PackedSequence& xs, Index steps, bool wants_outputs,
                                  Order order, const StateOf<C>& initial, SourceLocation location) {
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  check_segment(steps, location);
  if (tape.truncation() > 0)
    autograd::fail("scan", "recomputed segments came on a tape that truncates; needed one of them", location);
  const Index pieces = (layout.steps() + steps - 1) / steps;
  // The last outputs of a batch of equal lengths are the next state: a view of them costs no copy, and its
  // gradient is added up in the same order as without segments.
  const bool output_is_state = wants_outputs && layout.batch_size(layout.steps() - 1) == layout.batch();
  StateOf<C> state = initial;
  const std::uint32_t recurrence = tape.new_recurrence();
  Collage rows(tape, pieces);
  for (Index p = 0; p < pieces; ++p) {
    const Index k = order == Order::forward ? p : pieces - 1 - p;
    const StepRange segment{k * steps, std::min(layout.steps(), (k + 1) * steps), order, recurrence};
    const Index begin = layout.offset(segment.begin), count = layout.offset(segment.end) - begin;
    const RecomputedSegment<C> f{&cell, &layout, segment, wants_outputs, output_is_state ? 1u : 0u};
    std::array<Var, 5> in{tape.rows(xs.rows, begin, count)}, out;
    std::array<Shape, 5> shapes;
    std::size_t inputs = 1, results = 0, field = 0;
    if (wants_outputs) shapes[results++] = Shape{count, fields(state)[0]->cols()};
    for (const Var* v : fields(state)) {
      in[inputs++] = *v;
      if (field++ >= f.skipped) shapes[results++] = v->shape();
    }
    ops::recompute(tape, std::span(in).first(inputs), std::span(shapes).first(results), f,
                   std::span(out).first(results), location);
    std::size_t o = 0;
    if (wants_outputs) rows.add(out[o++], begin, 0);
    field = 0;
    for (Var* v : fields(state))
      if (field++ >= f.skipped) *v = out[o++];
    if (output_is_state)
      *fields(state)[0] =
          tape.rows(out[0], order == Order::forward ? count - layout.batch() : 0, layout.batch());
  }
  const Var all = wants_outputs ? rows.paste(Shape{layout.rows(), fields(state)[0]->cols()}) : Var();
  return {{all, &layout}, in_callers_order(state, layout)};
}

}  // namespace detail

/// Runs `cell` over all steps. `initial`, [B, ...] each, is in the caller's order; without it the cell's own
/// is taken. Steps of sequences that have ended are not computed; in reverse order each sequence begins at
/// its own end. Gradients stop after so many steps as Tape::truncation says. On a tape without gradients
/// (Tape::no_gradient) each step works in the memory of the one before.
template <Cell C>
Scanned<StateOf<C>> scan(const C& cell, const PackedSequence& xs, Order order = Order::forward,
                         const std::optional<StateOf<C>>& initial = {},
                         SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  Tape& tape = xs.rows.tape();
  const Layout& layout = *xs.layout;
  const auto scope = enter(tape, cell, location);
  return detail::called_from(location, [&]() -> Scanned<StateOf<C>> {
    const auto first = detail::first_state(cell, xs, initial);
    if (!tape.records_gradients()) return detail::scan_forward(cell, xs, order, first);
    const detail::StepRange all{0, layout.steps(), order, tape.new_recurrence()};
    detail::OutputRows outputs(tape, layout, all);
    const auto states = detail::run(cell, xs.rows, layout, all, first, &outputs);
    return {{outputs.value(), &layout},
            detail::in_callers_order(detail::last_state(states, first, layout, all), layout)};
  });
}

/// The same in segments of so many steps, of which only inputs, outputs and the states in between are kept:
/// backward computes each segment again (Chen et al. 2016), one more forward pass for memory of
/// O(T / segment + segment) states. With forward order and equal lengths all gradients have the same bits.
/// The cell must outlive the pass.
template <Cell C>
Scanned<StateOf<C>> scan_recomputed(const C& cell, const PackedSequence& xs, Index segment,
                                    Order order = Order::forward,
                                    const std::optional<StateOf<C>>& initial = {},
                                    SourceLocation location = SourceLocation::current()) {
  detail::check_sequence(xs, location);
  const auto scope = enter(xs.rows.tape(), cell, location);
  return detail::called_from(location, [&] {
    const auto first = detail::first_state(cell, xs, initial);
    return detail::scan_segments(cell, xs, segment, true, order, first, location);
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
    return detail::scan_segments(cell, xs, segment, false, order, first, location).last;
  });
}

}  // namespace unroll::nn

namespace unroll {
using nn::last_state_recomputed;
using nn::Order;
using nn::PackedSequence;
using nn::scan;
using nn::scan_recomputed;
}  // namespace unroll
