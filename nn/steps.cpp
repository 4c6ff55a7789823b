#include "nn/steps.h"

#include <fmt/format.h>

#include <memory>

#include "ops/pointwise.h"
#include "ops/simd/row_kernels.h"

namespace unroll::nn::detail {

void check_sequence(const PackedSequence& xs, SourceLocation location) {
  if (!xs.layout) autograd::fail("scan", "a sequence without a layout came; needed one", location);
  if (xs.rows.shape(location).rank() != 2 || xs.rows.rows() != xs.layout->rows())
    autograd::fail("scan",
                   fmt::format("rows of shape {} came; needed [{}, features] for a layout of {} sequences",
                               to_string(xs.rows.shape()), xs.layout->rows(), xs.layout->batch()),
                   location);
  if (!xs.resets.empty() && static_cast<Index>(xs.resets.size()) != xs.layout->rows())
    autograd::fail(
        "scan",
        fmt::format("{} resets came; needed {}, one a packed row", xs.resets.size(), xs.layout->rows()),
        location);
}

void check_state(Var field, Index batch) {
  const Shape shape = field.shape();
  if (shape.rank() == 0 || shape[0] != batch)
    autograd::fail("scan", fmt::format("a state of {} rows came for {} sequences; needed a row for each",
                                       shape.rank() == 0 ? 1 : shape[0], batch));
}

Var permuted(Var x, std::span<const int> index, bool identity) {
  if (identity) return x;
  const Shape shape = x.shape();
  if (shape.rank() == 2) return ops::gather_rows(x, index);
  // What lies behind the first axis becomes the columns.
  Tape& tape = x.tape();
  const Shape flat{shape[0], shape[0] == 0 ? 0 : shape.size() / shape[0]};
  return tape.reshape(ops::gather_rows(tape.reshape(ops::contiguous(x), flat), index), shape);
}

void check_segment(Index steps, SourceLocation location) {
  if (steps < 1)
    autograd::fail("scan", fmt::format("a segment of {} steps came; needed at least 1", steps), location);
}

void reject_changed(std::string_view cell) {
  autograd::fail("scan",
                 fmt::format("{} has another value after its steps than before; needed a function of its "
                             "arguments, as backward computes it again: what a step leaves for the next "
                             "belongs into the state",
                             cell));
}

std::span<const std::uint8_t> resets_at(const StepRange& range, const Layout& layout, Index t, Index count) {
  if (range.resets.empty()) return {};
  // In reverse order what begins at t + 1 is left behind before t.
  const Index from = range.order == Order::forward ? t : t + 1;
  if (from >= layout.steps() || (range.order == Order::forward && from == 0)) return {};
  const auto rows = range.resets.subspan(static_cast<std::size_t>(layout.offset(from)),
                                         static_cast<std::size_t>(std::min(count, layout.batch_size(from))));
  return std::ranges::any_of(rows, [](std::uint8_t r) { return r != 0; }) ? rows : decltype(rows)();
}

Var reset_rows(Var v, Var first, std::span<const std::uint8_t> resets) {
  Tape& tape = v.tape();
  const Shape shape = v.shape();
  const Index rows = shape[0], cols = rows == 0 ? 0 : shape.size() / rows;
  Tensor mask({rows, 1}, tape.dtype());
  for (std::size_t r = 0; r < resets.size(); ++r) mask.set(static_cast<Index>(r), resets[r] != 0);
  const Var flat = tape.reshape(ops::contiguous(v), {rows, cols});
  const Var anew = tape.reshape(ops::contiguous(tape.rows(first, 0, rows)), {rows, cols});
  const auto choose = [](auto m, auto x, auto y) { return select(m > 0.5, y, x); };
  return tape.reshape(pointwise("reset", choose, tape.constant(mask), flat, anew), shape);
}

std::span<Var> handles(Tape& tape, Index count) {
  const auto size = static_cast<std::size_t>(count);
  Var* vars = tape.arena().allocate_array<Var>(size);
  std::uninitialized_value_construct_n(vars, size);
  return {vars, size};
}

Var joined(std::span<const Var> pieces) { return pieces.size() == 1 ? pieces[0] : ops::concat(pieces, 0); }

void carry_over(std::span<const Var> from, std::span<const Var> to) {
  Tape& tape = to[0].tape();
  auto buffer = [&](Var v) { return tape.value(v.index()).buffer; };
  autograd::dispatch(tape.dtype(), [&]<class T>() {
    auto values = [&](Var v) {
      const autograd::Value& value = tape.value(v.index());
      return View<T>{reinterpret_cast<T*>(value.data), value.shape, value.stride};
    };
    const std::span<Var> source = handles(tape, static_cast<Index>(from.size()));
    for (std::size_t i = 0; i < from.size(); ++i) {
      source[i] = from[i];
      for (std::size_t j = 0; j < i; ++j)  // what an earlier one will overwrite is put aside
        if (buffer(from[i]) == buffer(to[j]) && source[i] == from[i]) source[i] = tape.snapshot(from[i]);
    }
    for (std::size_t i = 0; i < from.size() && !tape.dry(); ++i)
      if (values(source[i]).data != values(to[i]).data)
        ops::copy_rows(View<const T>(values(source[i])), values(to[i]));
  });
}

// All views are made at once, before the steps: what a step reads of them is in memory then, and not waited
// for.
void Steps::cut(Var projected, bool is_new, Index end) {
  Tape& tape = projected.tape();
  if (is_new)
    if (const Var donated = tape.donate_to_ops(projected); donated.defined()) {
      projected = donated;
      in_place_ = true;
    }
  const std::span<Var> rows = handles(tape, end - begin_);
  for (Index t = begin_; t < end; ++t)
    rows[static_cast<std::size_t>(t - begin_)] =
        tape.rows(projected, layout_.offset(t) - layout_.offset(begin_), layout_.batch_size(t));
  rows_ = rows;
}

// A first step from zeros needs no recurrent product, unless it is the only one: then the weights would seem
// to have got no gradient.
Projected Steps::operator()(Index t) const {
  return Projected(rows_[static_cast<std::size_t>(t - begin_)], in_place_, layout_.steps() > 1);
}

}  // namespace unroll::nn::detail
