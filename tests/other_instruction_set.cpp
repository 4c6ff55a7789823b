// Built for the oldest x86-64 and linked with the library as it was configured: the widths of their SIMD
// registers differ, and neither may use a function of the other's.
#include <cmath>
#include <cstdio>

#include "nn/minimal_gated_unit.h"
#include "nn/nn.h"

using namespace unroll;

int main() {
  Generator random(1);
  Bidirectional<MinimalGatedUnit> net{{5, 21, random}, {5, 21, random}};
  const std::vector<int> lengths{3, 7, 1};
  const Layout layout(lengths);
  Tensor xs({layout.rows(), 5});
  for (Index i = 0; i < xs.size(); ++i) xs.set(i, random.normal());
  auto loss = [&](Tape& tape) { return mean(square(tanh(net({tape.constant(xs), &layout}).outputs.rows))); };

  Tape single;
  const double in_f32 = loss(single).item();
  nn::convert(net, f64);
  Tape twice(f64);
  const double in_f64 = loss(twice).item();
  const GradientCheck check = check_gradient(loss, parameters(net));
  std::printf("loss %.9f in f32, %.9f in f64; gradient error %.1e at %s\n", in_f32, in_f64, check.error,
              check.where.c_str());
  return std::abs(in_f32 - in_f64) < 1e-6 && check.error < 1e-6 ? 0 : 1;
}
