// Outputs of many nodes that lie where they will be read: as the rows of one value.
#pragma once
#include "autograd/tape.h"

namespace unroll::autograd {

/// Rows of one value, which come piece by piece. A piece that a node made moves there and lives on as a view,
/// so that it takes memory once, and its gradient is a part of that of the whole, by whatever way it comes;
/// the memory that it had is used again.
class GatheredRows {
 public:
  GatheredRows() = default;
  /// The values are undefined where nothing has come.
  GatheredRows(Tape& tape, const Shape& shape, SourceLocation location = SourceLocation::current());

  /// Whether a node made all of this value's memory: what take() can take, if it fits.
  static bool can_take(Var piece);
  /// Moves a piece to rows from `row` on. Returns false, and does nothing, where that cannot be: the piece is
  /// a view or a leaf, or does not fit.
  bool take(Var piece, Index row, SourceLocation location = SourceLocation::current());
  /// Copies its values there, through which no gradient flows. It must fit.
  void copy(Var piece, Index row, SourceLocation location = SourceLocation::current());

  Var value() const { return whole_; }
  bool defined() const { return whole_.defined(); }

 private:
  Var whole_;
};

}  // namespace unroll::autograd
