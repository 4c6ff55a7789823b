// The ops of ops/elementwise.h that compute with the values as they are; functions.cpp has the others.
#include "ops/elementwise.h"
#include "ops/pointwise.h"

namespace unroll::ops {

namespace {
// f(a, b), or f(a, number) where b is one.
template <class F>
Var binary(Label label, Var a, const Term& b, F f) {
  if (b.is_number())
    return pointwise(
        label, [f, c = b.number()](auto x) { return f(x, c); }, a);
  return pointwise(label, f, a, b.on(a.tape(label.location)));
}

// One op for all sums and products with numbers: each op of its own is a second of compiling.
Var scaled_and_shifted(Label label, Var x, double scale, double shift) {
  return pointwise(
      label, [scale, shift](auto v) { return v * scale + shift; }, x);
}
constexpr double kNothing = -0.0;  // x + -0.0 is x, also for x = -0.0

}  // namespace

Var add(Var a, Term b, SourceLocation w) {
  if (b.is_number()) return scaled_and_shifted({"add", w}, a, 1, b.number());
  return pointwise(
      {"add", w}, [](auto x, auto y) { return x + y; }, a, b.on(a.tape(w)));
}
Var subtract(Var a, Term b, SourceLocation w) {
  if (b.is_number()) return scaled_and_shifted({"subtract", w}, a, 1, -b.number());
  return pointwise(
      {"subtract", w}, [](auto x, auto y) { return x - y; }, a, b.on(a.tape(w)));
}
Var multiply(Var a, Term b, SourceLocation w) {
  if (b.is_number()) return scaled_and_shifted({"multiply", w}, a, b.number(), kNothing);
  return pointwise(
      {"multiply", w}, [](auto x, auto y) { return x * y; }, a, b.on(a.tape(w)));
}
Var divide(Var a, Term b, SourceLocation w) {
  return binary({"divide", w}, a, b, [](auto x, auto y) { return x / y; });
}
Var subtract(double a, Var b, SourceLocation w) { return scaled_and_shifted({"subtract", w}, b, -1, a); }
Var divide(double a, Var b, SourceLocation w) {
  return pointwise(
      {"divide", w}, [a](auto y) { return a / y; }, b);
}
Var max(Var a, Term b, SourceLocation w) {
  return binary({"max", w}, a, b, [](auto x, auto y) { return max(x, y); });
}
Var min(Var a, Term b, SourceLocation w) {
  return binary({"min", w}, a, b, [](auto x, auto y) { return min(x, y); });
}
Var negate(Var x, SourceLocation w) { return scaled_and_shifted({"negate", w}, x, -1, kNothing); }
Var select(Var mask, Var a, Var b, SourceLocation w) {
  return pointwise(
      {"select", w}, [](auto m, auto x, auto y) { return select((m < 0.0) | (m > 0.0), x, y); }, mask, a, b);
}

}  // namespace unroll::ops
