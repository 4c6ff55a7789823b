#include "nn/layers.h"

#include "nn/initialise.h"

namespace unroll::nn {

Linear::Linear(Index in, Index out, Generator& generator) : weight("weight", {in, out}), bias("bias", {out}) {
  glorot_uniform(weight.value(), generator);
}

Embedding::Embedding(Index vocabulary, Index width, Generator& generator, double deviation)
    : weight("weight", {vocabulary, width}) {
  normal(weight.value(), 0, deviation, generator);
}

LayerNorm::LayerNorm(Index width, double epsilon_value)
    : gain("gain", {width}), bias("bias", {width}), epsilon(epsilon_value) {
  constant(gain.value(), 1);
}

}  // namespace unroll::nn
