// The ops of ops/elementwise.h that compute with the numbers as they are; functions.cpp has the others.
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
  return pointwise(label, f, a, b.on(a.tape(label.where)));
}
}  // namespace

Var add(Var a, Term b, Where w) {
  return binary({"add", w}, a, b, [](auto x, auto y) { return x + y; });
}
Var subtract(Var a, Term b, Where w) {
  return binary({"subtract", w}, a, b, [](auto x, auto y) { return x - y; });
}
Var multiply(Var a, Term b, Where w) {
  return binary({"multiply", w}, a, b, [](auto x, auto y) { return x * y; });
}
Var divide(Var a, Term b, Where w) {
  return binary({"divide", w}, a, b, [](auto x, auto y) { return x / y; });
}
Var subtract(double a, Var b, Where w) {
  return pointwise(
      {"subtract", w}, [a](auto y) { return a - y; }, b);
}
Var divide(double a, Var b, Where w) {
  return pointwise(
      {"divide", w}, [a](auto y) { return a / y; }, b);
}
Var max(Var a, Term b, Where w) {
  return binary({"max", w}, a, b, [](auto x, auto y) { return max(x, y); });
}
Var min(Var a, Term b, Where w) {
  return binary({"min", w}, a, b, [](auto x, auto y) { return min(x, y); });
}
Var negate(Var x, Where w) {
  return pointwise(
      {"negate", w}, [](auto v) { return -v; }, x);
}
Var square(Var x, Where w) {
  return pointwise(
      {"square", w}, [](auto v) { return square(v); }, x);
}
Var abs(Var x, Where w) {
  return pointwise(
      {"abs", w}, [](auto v) { return abs(v); }, x);
}
Var clamp(Var x, double low, double high, Where w) {
  return pointwise(
      {"clamp", w}, [low, high](auto v) { return clamp(v, low, high); }, x);
}
Var select(Var mask, Var a, Var b, Where w) {
  return pointwise(
      {"select", w}, [](auto m, auto x, auto y) { return select((m < 0.0) | (m > 0.0), x, y); }, mask, a, b);
}

}  // namespace unroll::ops
