#include "nn/recurrence.h"

#include <fmt/format.h>

#include <array>

#include "ops/simd/row_kernels.h"

namespace unroll::nn::detail {

void check_sequence(const PackedSequence& xs, SourceLocation location) {
  if (!xs.layout) autograd::fail("scan", "a sequence without a layout came; needed one", location);
  if (xs.rows.shape(location).rank() != 2 || xs.rows.rows() != xs.layout->rows())
    autograd::fail("scan",
                   fmt::format("rows of shape {} came; needed [{}, features] for a layout of {} sequences",
                               to_string(xs.rows.shape()), xs.layout->rows(), xs.layout->batch()),
                   location);
}

void check_state(Var field, Index batch) {
  const Shape shape = field.shape();
  if (shape.rank() == 0 || shape[0] != batch)
    autograd::fail("scan", fmt::format("a state of {} rows came for {} sequences; needed a row for each",
                                       shape.rank() == 0 ? 1 : shape[0], batch));
}

Var rows_after(Var a, Var b) {
  Collage both(a.tape(), 2);
  both.add(a, 0, 0);
  both.add(b, a.rows(), 0);
  return both.paste(Shape{a.rows() + b.rows(), a.cols()});
}

Var permuted(Var x, std::span<const int> index, bool identity) {
  return identity ? x : ops::gather_rows(x, index);
}

Collage::Collage(Tape& tape, Index capacity)
    : tape_(tape),
      pieces_(tape.arena().allocate_array<Var>(static_cast<std::size_t>(capacity))),
      places_(tape.arena().allocate_array<ops::Place>(static_cast<std::size_t>(capacity))) {}

void Collage::add(Var piece, Index row, Index column) {
  new (&pieces_[count_]) Var(piece);
  new (&places_[count_]) ops::Place{row, column};
  ++count_;
}

Var Collage::paste(const Shape& result) const {
  return count_ == 1 ? pieces_[0]
                     : ops::detail::paste_computed(tape_, {pieces_, count_}, {places_, count_}, result);
}

OutputRows::OutputRows(Tape& tape, const Layout& layout, const StepRange& segment)
    : tape_(tape),
      layout_(layout),
      begin_(layout.offset(segment.begin)),
      rows_(layout.offset(segment.end) - begin_),
      single_(segment.size() == 1),
      pieces_(tape, segment.size()) {}

void OutputRows::add(Var output, Index t) {
  const Index row = layout_.offset(t) - begin_;
  pieces_.add(output, row, 0);
  if (!first_.defined()) {
    first_ = output;
    moved_ = !single_ && tape_.can_move(output);
    if (moved_) whole_ = tape_.reserve(Shape{rows_, output.cols()});
  }
  moved_ = moved_ && tape_.move_in(output, whole_, row);
}

Var OutputRows::value() const { return moved_ ? whole_ : pieces_.paste(Shape{rows_, first_.cols()}); }

void check_segment(Index steps, SourceLocation location) {
  if (steps < 1)
    autograd::fail("scan", fmt::format("a segment of {} steps came; needed at least 1", steps), location);
}

Var unwritten(Tape& tape, Index rows, Index cols) {
  const Shape shape{rows, cols};
  const auto bytes = static_cast<std::size_t>(shape.size()) * autograd::size_of(tape.dtype());
  return tape.borrow(tape.arena().allocate(bytes), shape, cols);
}

void carry_over(std::span<const Var> from, std::span<const Var> to) {
  Tape& tape = to[0].tape();
  auto root = [&](Var v) { return tape.value(v.index()).root; };
  autograd::dispatch(tape.dtype(), [&]<class T>() {
    auto numbers = [&](Var v) {
      const autograd::Value& value = tape.value(v.index());
      return View<T>{reinterpret_cast<T*>(value.data), value.shape, value.stride};
    };
    std::array<Var, 4> source;
    for (std::size_t i = 0; i < from.size(); ++i) {
      source[i] = from[i];
      for (std::size_t j = 0; j < i; ++j)  // what an earlier one will overwrite is put aside
        if (root(from[i]) == root(to[j]) && source[i] == from[i]) source[i] = tape.snapshot(from[i]);
    }
    for (std::size_t i = 0; i < from.size() && !tape.dry(); ++i)
      if (numbers(source[i]).data != numbers(to[i]).data)
        ops::copy_rows(View<const T>(numbers(source[i])), numbers(to[i]));
  });
}

// All views are made at once, before the steps: what a step reads of them is in memory then, and not waited
// for.
Steps::Steps(Var projected, std::size_t values_before, const Layout& layout, Index begin, Index end)
    : layout_(layout), begin_(begin) {
  Tape& tape = projected.tape();
  if (projected.index() >= values_before)
    if (const Var opened = tape.open(projected); opened.defined()) {
      projected = opened;
      in_place_ = true;
    }
  const auto count = static_cast<std::size_t>(end - begin);
  Var* rows = tape.arena().allocate_array<Var>(count);
  for (Index t = begin; t < end; ++t)
    new (&rows[t - begin])
        Var(tape.rows(projected, layout.offset(t) - layout.offset(begin), layout.batch_size(t)));
  rows_ = {rows, count};
}

// A first step from zeros needs no recurrent product, unless it is the only one: then the weights would seem
// to have got no gradient.
Projected Steps::operator()(Index t) const {
  return Projected(rows_[static_cast<std::size_t>(t - begin_)], in_place_, layout_.steps() > 1);
}

}  // namespace unroll::nn::detail
