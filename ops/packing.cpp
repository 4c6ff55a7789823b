#include "ops/packing.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/simd/row_kernels.h"
#include "ops/views.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Tape;

namespace {

struct PadSequences {
  static constexpr const char* name = "pad_sequences";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const int* rows;  // packed, by sequence and step; -1 beyond a sequence's end
  Index batch, steps;
  double padding;

  Shape shape(const Inputs& in) const { return {batch, steps, in[0][1]}; }
  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    for (Index r = 0; r < out.rows(); ++r)
      rows[r] < 0 ? std::fill_n(out.row(r), out.cols(), static_cast<T>(padding))
                  : std::copy_n(x.row(rows[r]), out.cols(), out.row(r));
  }
  // Each packed row is in one place.
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    const Into<T> d_x = context.d_in(0);
    for (Index r = 0; r < d_out.rows(); ++r)
      if (rows[r] >= 0)
        put_row(d_x.view.row(rows[r]), d_out.cols(), d_x.fresh, [d = d_out.row(r)](Index c) { return d[c]; });
  }
};

// f(sequence, step, packed row) in the order of sequences
template <class F>
void each_row(const Layout& layout, F f) {
  for (Index s = 0; s < layout.batch(); ++s)
    for (Index t = 0; t < layout.length(s); ++t) f(s, t, layout.row(s, t));
}

void check_packed(const char* op, const Shape& shape, const Layout& layout, SourceLocation location) {
  if (shape.rank() != 2 || shape[0] != layout.rows())
    autograd::fail(op,
                   fmt::format("a value of shape {} came for a layout of {} rows; needed [{}, columns]",
                               to_string(shape), layout.rows(), layout.rows()),
                   location);
}

}  // namespace

Var pack_sequences(Var x, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  const Shape shape = x.shape(location);
  const auto count = static_cast<std::size_t>(layout.rows());
  int* from = tape.arena().allocate_array<int>(count);
  if (shape.rank() == 3) {
    if (shape[0] != layout.batch() || shape[1] < layout.steps())
      autograd::fail(
          "pack_sequences",
          fmt::format("a value of shape {} came for a layout of {} sequences with {} steps at most; "
                      "needed [{}, {} or more, columns]",
                      to_string(shape), layout.batch(), layout.steps(), layout.batch(), layout.steps()),
          location);
    each_row(layout, [&](Index s, Index t, Index row) { from[row] = static_cast<int>(s * shape[1] + t); });
    x = reshape(contiguous(x, location), {shape[0] * shape[1], shape[2]}, location);
  } else {
    check_packed("pack_sequences", shape, layout, location);
    int next = 0;
    each_row(layout, [&](Index, Index, Index row) { from[row] = next++; });
  }
  return gather_rows(x, std::span<const int>(from, count), {}, location);
}

Var unpack_sequences(Var packed, const Layout& layout, SourceLocation location) {
  check_packed("unpack_sequences", packed.shape(location), layout, location);
  const auto count = static_cast<std::size_t>(layout.rows());
  int* from = packed.tape().arena().allocate_array<int>(count);
  int* next = from;
  each_row(layout, [&](Index, Index, Index row) { *next++ = static_cast<int>(row); });
  return gather_rows(packed, std::span<const int>(from, count), {}, location);
}

Var pad_sequences(Var packed, const Layout& layout, double padding, SourceLocation location) {
  check_packed("pad_sequences", packed.shape(location), layout, location);
  Tape& tape = packed.tape();
  const Index steps = layout.steps();
  const auto count = static_cast<std::size_t>(layout.batch() * steps);
  int* rows = std::fill_n(tape.arena().allocate_array<int>(count), count, -1) - count;
  each_row(layout, [&](Index s, Index t, Index row) { rows[s * steps + t] = static_cast<int>(row); });
  return tape.record(PadSequences{rows, layout.batch(), steps, padding}, {packed}, location);
}

}  // namespace unroll::ops
