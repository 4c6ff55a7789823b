// A scan in segments that backward computes again.
#pragma once
#include <array>

#include "nn/step_outputs.h"
#include "nn/steps.h"
#include "ops/sub_pass.h"

namespace unroll::nn::detail {

/// A segment as a part of a pass: from rows of xs and a state, outputs (if asked for) and the next state (all
/// but the first `skipped` Vars).
template <Cell C>
struct RecomputedSegment {
  const C* cell;
  Layout::Kept kept_layout;
  StepRange range;
  bool wants_outputs;
  std::size_t skipped;

  void operator()(Tape& tape, std::span<const Var> in, std::span<Var> out) const {
    const Layout layout = *kept_layout;
    StateOf<C> initial{}, first{};
    std::size_t i = 1;
    for (Var* v : fields(initial)) *v = in[i++];
    if (!range.resets.empty())
      for (Var* v : fields(first)) *v = in[i++];
    const SideScope sides(side_inputs_of(*cell), in.subspan(i));
    std::optional<StepOutputs> outputs;
    if (wants_outputs) outputs.emplace(tape, layout, range);
    const auto states = run(*cell, in[0], layout, range, initial, first, [&](const auto& state, Index t) {
      if (outputs) outputs->add(*fields(state)[0], t);
    });
    std::size_t o = 0;
    if (outputs) out[o++] = outputs->value();
    const auto last = vars(last_state(states, initial, layout, range));
    for (std::size_t f = skipped; f < last.size(); ++f) out[o++] = last[f];
  }
};

/// Runs the segments one after the other. Returns the outputs, if asked for, and the last state in the order
/// of ranks.
template <Cell C>
std::pair<Var, StateOf<C>> scan_segments(const C& cell, const PackedSequence& xs, Index steps,
                                         bool wants_outputs, Order order, const StateOf<C>& initial,
                                         SourceLocation location) {
  constexpr std::size_t kMost = field_count<StateOf<C>> + 1;  // results
  const SideInputs sides = side_inputs_of(cell);
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
  const NoiseOfScan noise = next_noise(tape);
  const std::span<Var> rows = handles(tape, pieces);
  // The caller's layout and resets may have gone when backward comes.
  const Layout::Kept kept_layout = layout.kept_by(tape);
  const std::span<std::uint8_t> resets(tape.arena().allocate_array<std::uint8_t>(xs.resets.size()),
                                       xs.resets.size());
  std::ranges::copy(xs.resets, resets.begin());
  for (Index p = 0; p < pieces; ++p) {
    const Index k = order == Order::forward ? p : pieces - 1 - p;
    const StepRange range{
        k * steps, std::min(layout.steps(), (k + 1) * steps), order, recurrence, noise, resets, true};
    const Index begin = layout.offset(range.begin), count = layout.offset(range.end) - begin;
    const RecomputedSegment<C> f{&cell, kept_layout, range, wants_outputs, output_is_state ? 1u : 0u};
    std::array<Var, kMost> out;
    std::array<Shape, kMost> shapes;
    const std::span<Var> in = handles(tape, static_cast<Index>(2 * kMost + sides.list().size()));
    in[0] = tape.rows(xs.rows, begin, count);
    std::size_t inputs = 1, results = 0, field = 0;
    if (wants_outputs) shapes[results++] = fields(state)[0]->shape().with(0, count);
    for (const Var* v : fields(state)) {
      in[inputs++] = *v;
      if (field++ >= f.skipped) shapes[results++] = v->shape();
    }
    if (!xs.resets.empty())
      for (const Var v : vars(initial)) in[inputs++] = v;
    for (const Var* v : sides.list()) in[inputs++] = *v;
    ops::recompute(tape, in.first(inputs), std::span(shapes).first(results), f, std::span(out).first(results),
                   location);
    std::size_t o = 0;
    if (wants_outputs) rows[static_cast<std::size_t>(k)] = out[o++];
    field = 0;
    for (Var* v : fields(state))
      if (field++ >= f.skipped) *v = out[o++];
    if (output_is_state)
      *fields(state)[0] =
          tape.rows(out[0], order == Order::forward ? count - layout.batch() : 0, layout.batch());
  }
  return {wants_outputs ? joined(rows) : Var(), state};
}

}  // namespace unroll::nn::detail
