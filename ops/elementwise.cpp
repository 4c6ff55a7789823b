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
Var exp(Var x, Where w) {
  return pointwise(
      {"exp", w}, [](auto v) { return exp(v); }, x);
}
Var log(Var x, Where w) {
  return pointwise(
      {"log", w}, [](auto v) { return log(v); }, x);
}
Var sqrt(Var x, Where w) {
  return pointwise(
      {"sqrt", w}, [](auto v) { return sqrt(v); }, x);
}
Var square(Var x, Where w) {
  return pointwise(
      {"square", w}, [](auto v) { return square(v); }, x);
}
Var abs(Var x, Where w) {
  return pointwise(
      {"abs", w}, [](auto v) { return abs(v); }, x);
}
Var tanh(Var x, Where w) {
  return pointwise(
      {"tanh", w}, [](auto v) { return tanh(v); }, x);
}
Var sigmoid(Var x, Where w) {
  return pointwise(
      {"sigmoid", w}, [](auto v) { return sigmoid(v); }, x);
}
Var relu(Var x, Where w) {
  return pointwise(
      {"relu", w}, [](auto v) { return relu(v); }, x);
}
Var gelu(Var x, Where w) {
  return pointwise(
      {"gelu", w}, [](auto v) { return gelu(v); }, x);
}
Var softplus(Var x, Where w) {
  return pointwise(
      {"softplus", w}, [](auto v) { return softplus(v); }, x);
}
Var sin(Var x, Where w) {
  return pointwise(
      {"sin", w}, [](auto v) { return sin(v); }, x);
}
Var cos(Var x, Where w) {
  return pointwise(
      {"cos", w}, [](auto v) { return cos(v); }, x);
}
Var leaky_relu(Var x, double slope, Where w) {
  return pointwise(
      {"leaky_relu", w}, [slope](auto v) { return leaky_relu(v, slope); }, x);
}
Var elu(Var x, double alpha, Where w) {
  return pointwise(
      {"elu", w}, [alpha](auto v) { return elu(v, alpha); }, x);
}
Var pow(Var x, double exponent, Where w) {
  return pointwise(
      {"pow", w}, [exponent](auto v) { return pow(v, exponent); }, x);
}
Var pow(Var x, Var exponent, Where w) {
  return pointwise(
      {"pow", w}, [](auto v, auto e) { return pow(v, e); }, x, exponent);
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
