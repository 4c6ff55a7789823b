// The ops of ops/elementwise.h that are functions of one number, and powers; arithmetic.cpp has the
// others.
#include "ops/elementwise.h"
#include "ops/pointwise.h"

namespace unroll::ops {

Var exp(Var x, SourceLocation w) {
  return pointwise(
      {"exp", w}, [](auto v) { return exp(v); }, x);
}
Var log(Var x, SourceLocation w) {
  return pointwise(
      {"log", w}, [](auto v) { return log(v); }, x);
}
Var sqrt(Var x, SourceLocation w) {
  return pointwise(
      {"sqrt", w}, [](auto v) { return sqrt(v); }, x);
}
Var tanh(Var x, SourceLocation w) {
  return pointwise(
      {"tanh", w}, [](auto v) { return tanh(v); }, x);
}
Var sigmoid(Var x, SourceLocation w) {
  return pointwise(
      {"sigmoid", w}, [](auto v) { return sigmoid(v); }, x);
}
Var relu(Var x, SourceLocation w) {
  return pointwise(
      {"relu", w}, [](auto v) { return relu(v); }, x);
}
Var gelu(Var x, SourceLocation w) {
  return pointwise(
      {"gelu", w}, [](auto v) { return gelu(v); }, x);
}
Var softplus(Var x, SourceLocation w) {
  return pointwise(
      {"softplus", w}, [](auto v) { return softplus(v); }, x);
}
Var sin(Var x, SourceLocation w) {
  return pointwise(
      {"sin", w}, [](auto v) { return sin(v); }, x);
}
Var cos(Var x, SourceLocation w) {
  return pointwise(
      {"cos", w}, [](auto v) { return cos(v); }, x);
}
Var leaky_relu(Var x, double slope, SourceLocation w) {
  return pointwise(
      {"leaky_relu", w}, [slope](auto v) { return leaky_relu(v, slope); }, x);
}
Var elu(Var x, double alpha, SourceLocation w) {
  return pointwise(
      {"elu", w}, [alpha](auto v) { return elu(v, alpha); }, x);
}
Var pow(Var x, double exponent, SourceLocation w) {
  return pointwise(
      {"pow", w}, [exponent](auto v) { return pow(v, exponent); }, x);
}
Var pow(Var x, Var exponent, SourceLocation w) {
  return pointwise(
      {"pow", w}, [](auto v, auto e) { return pow(v, e); }, x, exponent);
}
Var square(Var x, SourceLocation w) {
  return pointwise(
      {"square", w}, [](auto v) { return square(v); }, x);
}
Var abs(Var x, SourceLocation w) {
  return pointwise(
      {"abs", w}, [](auto v) { return abs(v); }, x);
}
Var clamp(Var x, double low, double high, SourceLocation w) {
  return pointwise(
      {"clamp", w}, [low, high](auto v) { return clamp(v, low, high); }, x);
}

}  // namespace unroll::ops
