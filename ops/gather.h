// Rows looked up by number: embeddings, permutations.
#pragma once
#include <optional>

#include "autograd/tape.h"
#include "ops/integers.h"

namespace unroll::ops {

/// y[i] = table[indices[i]]: table is [V, E], the result [indices.size(), E]. d_table[v] = sum of d_y[i] over
/// all i with indices[i] = v; for a parameter only the rows used are touched (Gradients::Entry::rows). The
/// row `padding` gets no gradient. Throws Error for an index outside 0 to V - 1.
Var gather_rows(Var table, const Integers& indices, std::optional<int> padding = {},
                SourceLocation location = SourceLocation::current());
Var gather_rows(autograd::Tape& tape, const autograd::Parameter& table, const Integers& indices,
                std::optional<int> padding = {}, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::gather_rows;
}
