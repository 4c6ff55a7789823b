// One time step of what a cell's project() returned.
#pragma once
#include <array>

#include "ops/matmul.h"

namespace unroll::nn {

/// A sum that is still open: begin with the part that does not depend on the past, add the part that does.
/// As nobody else looks at it, add() works in its memory and costs neither a copy nor a gradient of its own.
/// add() and conversion to a Var close it; a split hands its columns on.
class Projected {
 public:
  /// `in_place`: the memory of `piece` was donated (Tape::donate_to_ops). `skips_zero`: a product with a
  /// known zero, such as the first step's state, is left out.
  Projected(Var piece, bool in_place, bool skips_zero = false)
      : piece_(piece), in_place_(in_place), skips_zero_(skips_zero) {}
  Projected(const Projected&) = delete;
  Projected& operator=(const Projected&) = delete;
  Projected(Projected&&) = default;

  /// The sum and a b, with a [B, K] and b [K, N].
  Var add(Var a, const ops::Term& b, SourceLocation location = SourceLocation::current());
  /// Column blocks of these widths, which must add up to all columns; each is a sum of its own.
  template <class... Width>
  std::array<Projected, sizeof...(Width)> split(Width... widths) {
    Index begin = 0;
    auto next = [&](Index width) {
      begin += width;
      return block(begin - width, width);
    };
    std::array<Projected, sizeof...(Width)> blocks{next(static_cast<Index>(widths))...};
    close(begin);
    return blocks;
  }
  /// The sum; nothing can be added in place from here on.
  Var value() const {
    closed_ = true;
    return piece_;
  }
  operator Var() const { return value(); }

 private:
  Projected block(Index begin, Index width) const;
  void close(Index columns) const;

  Var piece_;
  bool in_place_, skips_zero_;
  mutable bool closed_ = false;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Projected;
}
