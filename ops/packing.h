// Batches of sequences in their three forms: one sequence after the other, padded to one length, and packed
// (ops/layout.h). Each sequence begins at its first row in all of them.
#pragma once
#include "autograd/tape.h"
#include "ops/layout.h"

namespace unroll::ops {

/// Packed rows [N, F], of rows [N, F] that hold one sequence after the other, or of a padded batch [B, T, F]
/// with T steps or more than the longest sequence has: what is beyond a sequence's end is not read, and gets
/// a gradient of 0.
Var pack_sequences(Var x, const Layout& layout, SourceLocation location = SourceLocation::current());
/// The other way: packed rows [N, F] to one sequence after the other, [N, F].
Var unpack_sequences(Var packed, const Layout& layout, SourceLocation location = SourceLocation::current());
/// The other way: packed rows [N, F] to [B, T, F] with the longest sequence's T, and `padding` beyond each
/// sequence's end.
Var pad_sequences(Var packed, const Layout& layout, double padding = 0,
                  SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::pack_sequences;
using ops::pad_sequences;
using ops::unpack_sequences;
}  // namespace unroll
