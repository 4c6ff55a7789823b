// What the built-in cells do to their gates, element by element. See nn/cells.h for the sources.
#pragma once
#include <array>

#include "autograd/var.h"

namespace unroll::nn::formulas {

using autograd::SourceLocation;
using autograd::Var;

/// Gates i, f, g, o and the last c; gives h and c.
std::array<Var, 2> lstm(Var i, Var f, Var g, Var o, Var c,
                        SourceLocation location = SourceLocation::current());

/// The same where the gates see c through weights of their own.
std::array<Var, 2> lstm_with_peepholes(Var i, Var f, Var g, Var o, Var c, Var p_i, Var p_f, Var p_o,
                                       SourceLocation location = SourceLocation::current());

/// Parts of r, z, n from the input and from the last h, the recurrent bias of n, and h.
Var gru_reset_after(Var x_r, Var x_z, Var x_n, Var h_r, Var h_z, Var h_n, Var b, Var h,
                    SourceLocation location = SourceLocation::current());

/// What the candidate sees of h.
Var gru_reset(Var r, Var h, SourceLocation location = SourceLocation::current());

/// Update gate, candidate before its tanh, and h.
Var gru_update(Var z, Var n, Var h, SourceLocation location = SourceLocation::current());

}  // namespace unroll::nn::formulas
