#include "nn/noise.h"

#include "ops/elementwise.h"

namespace unroll::nn {

namespace {
std::uint64_t mixed(std::uint64_t seed, std::uint64_t number) {
  return Generator(Generator(seed ^ (number * 0xD1B54A32D192ED03ULL)).next()).next();
}
}  // namespace

std::uint64_t next_noise(autograd::Tape& tape) {
  autograd::Context& context = tape.context();
  if (context.noise == 0) return 0;
  return mixed(static_cast<std::uint64_t>(context.noise), static_cast<std::uint64_t>(++context.noise_scans)) |
         1;
}

Generator Noise::generator(int number, SourceLocation location) const {
  if (!on())
    autograd::fail("noise",
                   "a generator was asked for where there is no noise; needed on() first, or Training",
                   location);
  return Generator(mixed(mixed(recurrence_, static_cast<std::uint64_t>(step_) + 1),
                         static_cast<std::uint64_t>(number) + 1));
}

Var Noise::dropout(Var x, double probability, int number, SourceLocation location) const {
  if (!on()) return x;
  Generator g = generator(number);
  return ops::dropout(x, probability, g, location);
}

Var Noise::gaussian(Var x, double deviation, int number, SourceLocation location) const {
  if (!on()) return x;
  Generator g = generator(number);
  Tensor noise(x.shape(location), x.dtype());
  for (Index i = 0; i < noise.size(); ++i) noise.set(i, deviation * g.normal());
  return x + x.tape().constant(noise, location);
}

}  // namespace unroll::nn
