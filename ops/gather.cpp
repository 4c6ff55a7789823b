#include "ops/gather.h"

#include <fmt/format.h>

#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Gradients;
using autograd::Inputs;
using autograd::Tape;

namespace {

constexpr int kNoPadding = -1;

struct GatherRows {
  static constexpr const char* name = "gather_rows";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const int* indices;
  Index count;
  int padding;

  Shape shape(const Inputs& in) const {
    const Shape& table = in[0];
    if (table.rank() != 2)
      in.reject(fmt::format("a table of shape {} came; needed [rows, columns]", to_string(table)));
    return {count, table[1]};
  }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> table = context.in(0);
    const View<T> out = context.out();
    for (Index i = 0; i < count; ++i) std::copy_n(table.row(indices[i]), out.cols(), out.row(i));
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    Gradients::Entry* entry = context.sparse(0);
    if (entry) entry->touch_rows();  // padding alone is a gradient too
    const View<T> d_table = entry ? entry->buffer().template view<T>() : context.add_to(0);
    for (Index i = 0; i < count; ++i) {
      if (indices[i] == padding) continue;
      if (entry) entry->touch_row(indices[i]);
      add_row(d_out.row(i), d_out.cols(), d_table.row(indices[i]));
    }
  }
  /// Copies rows of the table; backward adds to them.
  autograd::Work work(const autograd::Application& at, autograd::Phase phase, autograd::Work) const {
    const auto size = static_cast<double>(at.out().size());
    return {phase == autograd::Phase::forward ? 0 : size, at.bytes(2 * size)};
  }
};

}  // namespace

Var gather_rows(Var table, const Integers& indices, std::optional<int> padding, SourceLocation location) {
  Tape& tape = table.tape(location);
  const Shape shape = table.shape(location);
  auto* kept = tape.arena().allocate_array<int>(indices.size());
  for (std::size_t i = 0; shape.rank() == 2 && i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= shape[0])
      autograd::fail("gather_rows",
                     fmt::format("index {} at position {} came for a table of {} rows; needed 0 to {}",
                                 indices[i], i, shape[0], shape[0] - 1),
                     location);
    kept[i] = static_cast<int>(indices[i]);
  }
  const GatherRows op{kept, static_cast<Index>(indices.size()), padding.value_or(kNoPadding)};
  return tape.record(op, {table}, location);
}

Var gather_rows(Tape& tape, const autograd::Parameter& table, const Integers& indices,
                std::optional<int> padding, SourceLocation location) {
  return gather_rows(tape.parameter(table), indices, padding, location);
}

}  // namespace unroll::ops
