#include "nn/noise.h"

#include "ops/elementwise.h"

namespace unroll::nn {

namespace {
std::uint64_t mixed(std::uint64_t seed, std::uint64_t number) {
  return Generator(Generator(seed ^ (number * 0xD1B54A32D192ED03ULL)).next()).next();
}
}  // namespace

NoiseOfScan next_noise(autograd::Tape& tape) {
  autograd::Context& context = tape.context();
  if (context.noise == 0) return {};
  const std::uint64_t seed =
      mixed(static_cast<std::uint64_t>(context.noise), static_cast<std::uint64_t>(++context.noise_scans));
  return {seed | 1, context.noise_first, context.noise_stride};
}

Generator Noise::generator(Index row, int number, SourceLocation location) const {
  if (!on())
    autograd::fail("noise",
                   "a generator was asked for where there is no noise; needed on() first, or Training",
                   location);
  const auto r = static_cast<std::size_t>(row);
  const Index sequence = scan_.first + scan_.stride * (r < sequences_.size() ? sequences_[r] : row);
  const std::uint64_t step =
      mixed(mixed(scan_.seed, static_cast<std::uint64_t>(step_) + 1), static_cast<std::uint64_t>(number) + 1);
  return Generator(mixed(step, static_cast<std::uint64_t>(sequence) + 1));
}

Var Noise::dropout(Var x, double probability, int number, SourceLocation location) const {
  if (!on()) return x;
  return ops::dropout_by_row(
      x, probability, [&](Index row) { return generator(row, number, location); }, location);
}

Var Noise::gaussian(Var x, double deviation, int number, SourceLocation location) const {
  if (!on()) return x;
  const Shape shape = x.shape(location);
  Tensor noise(shape, x.dtype());
  for (Index r = 0; r < shape.rows(); ++r) {
    Generator g = generator(r, number, location);
    for (Index c = 0; c < shape.cols(); ++c) noise.set(r * shape.cols() + c, deviation * g.normal());
  }
  return x + x.tape().constant(noise, location);
}

}  // namespace unroll::nn
