// The named elementwise ops. Each is one line on top of pointwise(); see ops/simd/functions.h for the
// formulas.
#pragma once
#include "autograd/tape.h"

namespace unroll::ops {

/// A Var, a Parameter or a number: what can stand on either side of + - * /.
class Term {
 public:
  Term(Var var) : var_(var) {}
  Term(const autograd::Parameter& parameter) : parameter_(&parameter) {}
  Term(double number) : number_(number), is_number_(true) {}
  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  /// The value on `tape`; a number has none.
  Var on(autograd::Tape& tape) const { return parameter_ ? tape.parameter(*parameter_) : var_; }

 private:
  Var var_;
  const autograd::Parameter* parameter_ = nullptr;
  double number_ = 0;
  bool is_number_ = false;
};

// Shapes broadcast as in pointwise(): equal, or one side a row, a column or a scalar.
Var add(Var a, Term b, SourceLocation location = SourceLocation::current());
Var subtract(Var a, Term b, SourceLocation location = SourceLocation::current());
Var subtract(double a, Var b, SourceLocation location = SourceLocation::current());
Var multiply(Var a, Term b, SourceLocation location = SourceLocation::current());
Var divide(Var a, Term b, SourceLocation location = SourceLocation::current());
Var divide(double a, Var b, SourceLocation location = SourceLocation::current());

Var negate(Var x, SourceLocation location = SourceLocation::current());
Var exp(Var x, SourceLocation location = SourceLocation::current());
Var log(Var x, SourceLocation location = SourceLocation::current());
Var sqrt(Var x, SourceLocation location = SourceLocation::current());
Var square(Var x, SourceLocation location = SourceLocation::current());
Var abs(Var x, SourceLocation location = SourceLocation::current());
Var tanh(Var x, SourceLocation location = SourceLocation::current());
Var sigmoid(Var x, SourceLocation location = SourceLocation::current());
Var relu(Var x, SourceLocation location = SourceLocation::current());
Var leaky_relu(Var x, double slope = 0.01, SourceLocation location = SourceLocation::current());
Var elu(Var x, double alpha = 1, SourceLocation location = SourceLocation::current());
Var gelu(Var x, SourceLocation location = SourceLocation::current());
Var softplus(Var x, SourceLocation location = SourceLocation::current());
Var sin(Var x, SourceLocation location = SourceLocation::current());
Var cos(Var x, SourceLocation location = SourceLocation::current());
Var pow(Var x, double exponent, SourceLocation location = SourceLocation::current());
/// x >= 0.
Var pow(Var x, Var exponent, SourceLocation location = SourceLocation::current());
Var max(Var a, Term b, SourceLocation location = SourceLocation::current());
Var min(Var a, Term b, SourceLocation location = SourceLocation::current());
Var clamp(Var x, double low, double high, SourceLocation location = SourceLocation::current());
/// a where mask is not 0, else b; no gradient for the mask.
Var select(Var mask, Var a, Var b, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {

using ops::abs, ops::add, ops::clamp, ops::cos, ops::divide, ops::elu, ops::exp, ops::gelu, ops::leaky_relu,
    ops::log, ops::max, ops::min, ops::multiply, ops::negate, ops::pow, ops::relu, ops::select, ops::sigmoid,
    ops::sin, ops::softplus, ops::sqrt, ops::square, ops::subtract, ops::tanh;

namespace autograd {  // where argument-dependent lookup finds them for a Var

using ops::abs, ops::add, ops::clamp, ops::cos, ops::divide, ops::elu, ops::exp, ops::gelu, ops::leaky_relu,
    ops::log, ops::max, ops::min, ops::multiply, ops::negate, ops::pow, ops::relu, ops::select, ops::sigmoid,
    ops::sin, ops::softplus, ops::sqrt, ops::square, ops::subtract, ops::tanh;

/// One operand of an operator with the line it stands in.
struct Left {
  Var var;
  SourceLocation location;
  Left(Var v, SourceLocation here = SourceLocation::current()) : var(v), location(here) {}
};

inline Var operator+(Left a, const ops::Term& b) { return ops::add(a.var, b, a.location); }
inline Var operator+(double a, Left b) { return ops::add(b.var, a, b.location); }
inline Var operator-(Left a, const ops::Term& b) { return ops::subtract(a.var, b, a.location); }
inline Var operator-(double a, Left b) { return ops::subtract(a, b.var, b.location); }
inline Var operator*(Left a, const ops::Term& b) { return ops::multiply(a.var, b, a.location); }
inline Var operator*(double a, Left b) { return ops::multiply(b.var, a, b.location); }
inline Var operator/(Left a, const ops::Term& b) { return ops::divide(a.var, b, a.location); }
inline Var operator/(double a, Left b) { return ops::divide(a, b.var, b.location); }
inline Var operator-(Left a) { return ops::negate(a.var, a.location); }

/// The same of one that is assigned to: x += y is x = x + y, another value under the same name.
struct Changed {
  Var& var;
  SourceLocation location;
  Changed(Var& v, SourceLocation here = SourceLocation::current()) : var(v), location(here) {}
};

inline Var& operator+=(Changed a, const ops::Term& b) { return a.var = ops::add(a.var, b, a.location); }
inline Var& operator-=(Changed a, const ops::Term& b) { return a.var = ops::subtract(a.var, b, a.location); }
inline Var& operator*=(Changed a, const ops::Term& b) { return a.var = ops::multiply(a.var, b, a.location); }
inline Var& operator/=(Changed a, const ops::Term& b) { return a.var = ops::divide(a.var, b, a.location); }

}  // namespace autograd
}  // namespace unroll
