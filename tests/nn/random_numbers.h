// Numbers to test with.
#pragma once
#include "nn/module.h"
#include "ops/random.h"

namespace unroll::tests {

inline void randomise(Tensor& tensor, Generator& generator, double deviation = 1) {
  for (Index i = 0; i < tensor.size(); ++i) tensor.set(i, deviation * generator.normal());
}
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  Tensor t(shape, f64);
  randomise(t, generator);
  return t;
}
/// Every parameter in f64 and away from its first value: biases start at 0, where mistakes hide.
template <class M>
void randomise(M& module, double deviation = 0.6) {
  convert(module, f64);
  Generator generator(100);
  for (const NamedParameter& p : parameters(module)) randomise(p.parameter->value(), generator, deviation);
}

}  // namespace unroll::tests
