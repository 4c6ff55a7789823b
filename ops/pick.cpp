#include "ops/pick.h"

#include <fmt/format.h>

#include "autograd/op.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Index;
using autograd::Inputs;

namespace {

struct Pick {
  static constexpr const char* name = "pick";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const int* columns;

  Shape shape(const Inputs& in) const { return in[0].without(-1); }
  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    for (Index r = 0; r < x.rows(); ++r) context.out().data[r] = x(r, columns[r]);
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const T* d_out = context.d_out().data;
    const View<T> d_x = context.add_to(0);
    for (Index r = 0; r < d_x.rows(); ++r) d_x(r, columns[r]) += d_out[r];
  }
  autograd::Work work(const autograd::Application& at, autograd::Phase phase, autograd::Work usual) const {
    if (phase == autograd::Phase::forward) usual.bytes = at.bytes(2 * static_cast<double>(at.out().size()));
    return usual;
  }
};

}  // namespace

Var pick(Var x, const Integers& columns, SourceLocation location) {
  autograd::Tape& tape = x.tape(location);
  const Shape shape = x.shape(location);
  if (shape.rank() == 0) autograd::fail("pick", "a scalar came; needed a value with columns", location);
  if (static_cast<Index>(columns.size()) != shape.rows())
    autograd::fail(
        "pick", fmt::format("{} columns came for {} rows; needed one for each", columns.size(), shape.rows()),
        location);
  int* kept = tape.arena().allocate_array<int>(columns.size());
  for (std::size_t r = 0; r < columns.size(); ++r) {
    if (columns[r] < 0 || columns[r] >= shape.cols())
      autograd::fail("pick",
                     fmt::format("column {} came for row {} of {}; needed 0 to {}", columns[r], r,
                                 to_string(shape), shape.cols() - 1),
                     location);
    kept[r] = static_cast<int>(columns[r]);
  }
  return tape.record(Pick{kept}, {x}, location);
}

}  // namespace unroll::ops
