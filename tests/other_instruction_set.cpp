// Built for other processors than the library that it runs with: the widths of their SIMD registers differ,
// and neither may use a function of the other's. What it prints is the same on all of them.
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

  Optimiser adam(parameters(net), Adam{.learning_rate = 0.01});
  double trained = 0;
  for (int step = 0; step < 20; ++step) {
    Tape tape(f64);
    Gradients gradients;
    const Var now = loss(tape);
    trained = now.item();
    tape.backward(now, gradients);
    adam.step(gradients);
  }
  std::printf("loss %.9f, after 20 steps %.9f\n", in_f64, trained);
  const bool good = std::abs(in_f32 - in_f64) < 1e-6 && check.error < 1e-6 && trained < in_f64;
  if (!good)
    std::fprintf(stderr, "loss %.9f in f32; gradient error %.1e at %s\n", in_f32, check.error,
                 check.where.c_str());
  return good ? 0 : 1;
}
