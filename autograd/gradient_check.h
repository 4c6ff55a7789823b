// Is a gradient right? Backward compared with differences of the value, in f64.
#pragma once
#include <functional>
#include <span>
#include <string>

#include "autograd/tape.h"

namespace unroll::autograd {

/// What a check found. `error` is the largest |analytic - numeric| / max(|analytic|, |numeric|, floor), where
/// floor is 1e-3 times the largest gradient element (of a projection: times the gradient's norm) or 1e-6
/// times the largest output, whichever is more: below that, differences show rounding only. Infinite if one
/// of the two is NaN. A right gradient of a smooth function stays below 1e-6, mostly below 1e-8.
struct GradientCheck {
  double error = 0;
  // "input 0, element 5 of [2, 3]", "'cell.weight', ...", "projection"; with a suffix ", added to another
  // gradient" or ", in the place of its values" where only that way is wrong.
  std::string where;
  double analytic = 0, numeric = 0;
};

struct GradientCheckOptions {
  std::uint64_t seed = 1;  // of the derivative given to the output, and of the direction of a projection
};

using FunctionOfInputs = std::function<Var(Tape&, std::span<const Var>)>;
using FunctionOfModel = std::function<Var(Tape&)>;

// The function is called on an f64 tape, for every pass anew, and must give the same values each time: a
// random mask needs a generator that is made inside. An output of any shape is contracted with fixed random
// values. The inputs become variables; parameters must be f64, frozen ones are left out. Throws Error for an
// f32 parameter and for a function that gives two values at one point.
//
// The gradient is taken in several ways, all of which must be right: on a poisoned tape, which gives NaN to
// an op that reads what it does not claim to (op.h); added to gradients that are there already, which an op
// that assigns would overwrite; and, of inputs, in the place of their values, which an op that claims to
// read first and does not would read too late.

/// Every element by central differences: a step of 1e-5, and where that disagrees by more than 1e-8, steps
/// from 2e-3 down to 1e-7, extrapolated, of which the error estimate of their own chooses. Two passes an
/// element, or up to 32: for small sizes.
GradientCheck check_gradient(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                             GradientCheckOptions options = {},
                             SourceLocation location = SourceLocation::current());
GradientCheck check_gradient(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                             GradientCheckOptions options = {},
                             SourceLocation location = SourceLocation::current());

/// The derivative along one random direction in all elements at once, by the same differences, at any size.
GradientCheck check_projection(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                               GradientCheckOptions options = {},
                               SourceLocation location = SourceLocation::current());
GradientCheck check_projection(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                               GradientCheckOptions options = {},
                               SourceLocation location = SourceLocation::current());

namespace detail {
/// The values of x in a node of their own, donated (Tape::donate).
Var donated_copy(Var x, SourceLocation location = SourceLocation::current());
}  // namespace detail

}  // namespace unroll::autograd

namespace unroll {
using autograd::check_gradient;
using autograd::check_projection;
using autograd::GradientCheck;
using autograd::GradientCheckOptions;
}  // namespace unroll
