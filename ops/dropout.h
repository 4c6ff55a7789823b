// Dropout (Srivastava et al. 2014), inverted: what is kept is scaled up, so that nothing is to be done when
// the model is used.
#pragma once
#include <functional>

#include "autograd/tape.h"
#include "ops/layout.h"
#include "ops/random.h"

namespace unroll::ops {

/// Each element is 0 with `probability`, else x / (1 - probability), independently; d_x the same of d_y. The
/// mask is a byte an element. A probability of 0 returns x itself; throws Error unless 0 <= probability < 1.
Var dropout(Var x, double probability, Generator& generator,
            SourceLocation location = SourceLocation::current());

/// The same with a generator for each row, so that a row's mask does not depend on the others.
Var dropout_by_row(Var x, double probability, const std::function<Generator(Index)>& generator_of,
                   SourceLocation location = SourceLocation::current());

/// One mask for all time steps (Gal and Ghahramani 2016): the same elements are dropped in every row of a
/// sequence, for packed rows [N, F]. The mask has a byte for each sequence and column.
Var variational_dropout(Var x, const Layout& layout, double probability, Generator& generator,
                        SourceLocation location = SourceLocation::current());

/// For a step written by hand: a constant of zeros and 1 / (1 - probability), to be used at each step.
Var dropout_mask(autograd::Tape& tape, const Shape& shape, double probability, Generator& generator,
                 SourceLocation location = SourceLocation::current());
/// x times a mask of dropout_mask() that has as many rows or more; the first rows are used. (The sequences
/// alive at a time step are the first ones of the batch.)
Var dropout(Var x, Var mask, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::dropout;
using ops::dropout_mask;
using ops::variational_dropout;
}  // namespace unroll
