#include "nn/projected.h"

#include <fmt/format.h>

namespace unroll::nn {

Var Projected::add(Var a, const ops::Term& b, SourceLocation location) {
  autograd::Tape& tape = piece_.tape(location);
  if (closed_)
    autograd::fail("add", "this step's sum was read before; needed one add(), before its first use",
                   location);
  closed_ = true;
  if (skips_zero_ && tape.value(tape.check(a, "add", location)).zero)
    if (const Var weight = b.on(tape); weight.defined() && a.cols() == weight.rows() &&
                                       piece_.cols() == weight.cols() && a.rows() == piece_.rows())
      return piece_;
  return piece_ = in_place_ ? ops::add_matmul_in_place(piece_, a, b, location)
                            : ops::add_matmul(piece_, a, b, location);
}

Projected Projected::block(Index begin, Index width) const {
  return Projected(piece_.tape().columns(piece_, begin, width), in_place_, skips_zero_);
}

void Projected::close(Index columns) const {
  if (columns != piece_.cols())
    autograd::fail("split", fmt::format("widths that add up to {} came; needed {}", columns, piece_.cols()));
  if (closed_)
    autograd::fail("split", "this step's sum was read before; needed one split, before its first use");
  closed_ = true;
}

}  // namespace unroll::nn
