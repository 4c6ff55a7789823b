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
  std::string where;  // "input 0, element 5 of [2, 3]", "'cell.weight', ...", "projection"
  double analytic = 0, numeric = 0;
};

struct GradientCheckOptions {
  std::uint64_t seed = 1;  // of the derivative given to the output, and of the direction of a projection
};

using FunctionOfInputs = std::function<Var(Tape&, std::span<const Var>)>;
using FunctionOfModel = std::function<Var(Tape&)>;

// The function is called on an f64 tape, for every pass anew, and must give the same numbers each time: a
// random mask needs a generator that is made inside. An output of any shape is contracted with fixed random
// numbers. The inputs become variables; parameters must be f64, frozen ones are left out. Throws Error for an
// f32 parameter and for a function that gives two values at one point.

/// Every element by central differences: a step of 1e-5, and where that disagrees by more than 1e-8,
/// whichever is closer of it and a fourth-order formula of step 1e-3. (The first is near kinks, the second is
/// free of rounding.) Two to six passes an element: for small sizes.
GradientCheck check_gradient(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                             GradientCheckOptions options = {},
                             SourceLocation location = SourceLocation::current());
GradientCheck check_gradient(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                             GradientCheckOptions options = {},
                             SourceLocation location = SourceLocation::current());

/// The derivative along one random direction in all elements at once: two extra forward passes, at any size.
GradientCheck check_projection(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                               GradientCheckOptions options = {},
                               SourceLocation location = SourceLocation::current());
GradientCheck check_projection(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                               GradientCheckOptions options = {},
                               SourceLocation location = SourceLocation::current());

}  // namespace unroll::autograd

namespace unroll {
using autograd::check_gradient;
using autograd::check_projection;
using autograd::GradientCheck;
using autograd::GradientCheckOptions;
}  // namespace unroll
