// Dropout (Srivastava et al. 2014), inverted: what is kept is scaled up, so that nothing is to be done when
// the model is used.
#pragma once
#include "autograd/tape.h"
#include "ops/random.h"

namespace unroll::ops {

/// Each element is 0 with `probability`, else x / (1 - probability), independently; d_x the same of d_y. The
/// mask is a byte an element. A probability of 0 returns x itself; throws Error unless 0 <= probability < 1.
Var dropout(Var x, double probability, Generator& generator, Where where = Where::here());

/// A constant of zeros and 1 / (1 - probability), to be used more than once: the variational dropout of Gal
/// and Ghahramani 2016 has one mask [batch, columns] for all time steps.
Var dropout_mask(autograd::Tape& tape, const Shape& shape, double probability, Generator& generator,
                 Where where = Where::here());
/// x times a mask of dropout_mask() that has as many rows or more; the first rows are used. (The sequences
/// alive at a time step are the first ones of the batch.)
Var dropout(Var x, Var mask, Where where = Where::here());

}  // namespace unroll::ops

namespace unroll {
using ops::dropout;
using ops::dropout_mask;
}  // namespace unroll
