// Rows looked up by number: embeddings, permutations.
#pragma once
#include <span>

#include "ops/elementwise.h"

namespace unroll::ops {

inline constexpr int kNoPadding = -1;

/// y[i] = table[indices[i]]: table is [V, E], the result [indices.size(), E]. d_table[v] = sum of d_y[i] over
/// all i with indices[i] = v; for a parameter only the rows used are touched (Gradients::Entry::rows). The
/// row `padding` gets no gradient. Throws Error for an index outside 0 to V - 1.
Var gather_rows(autograd::Tape& tape, Term table, std::span<const int> indices, int padding = kNoPadding,
                Where where = Where::here());
/// The same for a value that is on a tape already.
Var gather_rows(Var x, std::span<const int> indices, Where where = Where::here());

}  // namespace unroll::ops

namespace unroll {
using ops::gather_rows;
}
