#include "nn/recurrence.h"

#include <fmt/format.h>

namespace unroll::nn::detail {

void check_sequence(const Sequence& xs, Where where) {
  if (!xs.layout) autograd::fail("scan", "a sequence without a layout came; needed one", where);
  if (xs.rows.shape(where).rank() != 2 || xs.rows.rows() != xs.layout->rows())
    autograd::fail("scan",
                   fmt::format("rows of shape {} came; needed [{}, features] for a layout of {} sequences",
                               to_string(xs.rows.shape()), xs.layout->rows(), xs.layout->batch()),
                   where);
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

Var beside(Var a, Var b) {
  Collage both(a.tape(), 2);
  both.add(a, 0, 0);
  both.add(b, 0, a.cols());
  return both.paste(Shape{a.rows(), a.cols() + b.cols()});
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

Steps::Steps(Var projected, std::size_t values_before, const Layout& layout)
    : rows_(projected), in_place_(false), layout_(layout) {
  if (projected.index() < values_before) return;
  const Var opened = projected.tape().open(projected);
  if (!opened.defined()) return;
  rows_ = opened;
  in_place_ = true;
}

// A first step from zeros needs no recurrent product, unless it is the only one: then the weights would seem
// to have got no gradient.
Projected Steps::operator()(Index t) const {
  return Projected(rows_.tape().rows(rows_, layout_.offset(t), layout_.alive(t)), in_place_,
                   layout_.steps() > 1);
}

}  // namespace unroll::nn::detail
