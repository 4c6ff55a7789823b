// A stream at namespace scope, as audio plug-ins have: it runs before main.
#include <cstdio>

#include "nn/nn.h"

namespace {
unroll::Generator generator(1);
unroll::Lstm cell(1, 8, generator);
unroll::Stepper stepper(cell, 1);
const float sample = 0.5F;
const float first = stepper.step<float>({&sample, 1})[0];
}  // namespace

int main() {
  const float second = stepper.step<float>({&sample, 1})[0];
  std::printf("%g %g\n", static_cast<double>(first), static_cast<double>(second));
  return first != 0 && first != second ? 0 : 1;
}
