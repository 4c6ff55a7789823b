// The named elementwise ops. Each is one line on top of pointwise(); see ops/simd/functions.h for the formulas.
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
Var add(Var a, Term b, Where where = Where::here());
Var subtract(Var a, Term b, Where where = Where::here());
Var subtract(double a, Var b, Where where = Where::here());
Var multiply(Var a, Term b, Where where = Where::here());
Var divide(Var a, Term b, Where where = Where::here());
Var divide(double a, Var b, Where where = Where::here());

Var negate(Var x, Where where = Where::here());
Var exp(Var x, Where where = Where::here());
Var log(Var x, Where where = Where::here());
Var sqrt(Var x, Where where = Where::here());
Var square(Var x, Where where = Where::here());
Var abs(Var x, Where where = Where::here());
Var tanh(Var x, Where where = Where::here());
Var sigmoid(Var x, Where where = Where::here());
Var relu(Var x, Where where = Where::here());
Var leaky_relu(Var x, double slope = 0.01, Where where = Where::here());
Var elu(Var x, double alpha = 1, Where where = Where::here());
Var gelu(Var x, Where where = Where::here());
Var softplus(Var x, Where where = Where::here());
Var sin(Var x, Where where = Where::here());
Var cos(Var x, Where where = Where::here());
Var pow(Var x, double exponent, Where where = Where::here());
/// x >= 0.
Var pow(Var x, Var exponent, Where where = Where::here());
Var max(Var a, Term b, Where where = Where::here());
Var min(Var a, Term b, Where where = Where::here());
Var clamp(Var x, double low, double high, Where where = Where::here());
/// a where mask is not 0, else b; no gradient for the mask.
Var select(Var mask, Var a, Var b, Where where = Where::here());

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
  Where where;
  Left(Var v, Where here = Where::here()) : var(v), where(here) {}
};

inline Var operator+(Left a, const ops::Term& b) { return ops::add(a.var, b, a.where); }
inline Var operator+(double a, Left b) { return ops::add(b.var, a, b.where); }
inline Var operator-(Left a, const ops::Term& b) { return ops::subtract(a.var, b, a.where); }
inline Var operator-(double a, Left b) { return ops::subtract(a, b.var, b.where); }
inline Var operator*(Left a, const ops::Term& b) { return ops::multiply(a.var, b, a.where); }
inline Var operator*(double a, Left b) { return ops::multiply(b.var, a, b.where); }
inline Var operator/(Left a, const ops::Term& b) { return ops::divide(a.var, b, a.where); }
inline Var operator/(double a, Left b) { return ops::divide(a, b.var, b.where); }
inline Var operator-(Left a) { return ops::negate(a.var, a.where); }

}  // namespace autograd
}  // namespace unroll
