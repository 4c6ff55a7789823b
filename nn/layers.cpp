#include "nn/layers.h"

#include "nn/initialise.h"

namespace unroll::nn {

Linear::Linear(Index in, Index out, Generator& generator) : weight("weight", {in, out}), bias("bias", {out}) {
  initialise::glorot_uniform(weight, generator);
}

Embedding::Embedding(Index vocabulary, Index width, Generator& generator, double deviation)
    : weight("weight", {vocabulary, width}) {
  initialise::normal(weight, generator, 0, deviation);
}

LayerNorm::LayerNorm(Index width, double epsilon_value)
    : gain("gain", {width}), bias("bias", {width}), epsilon(epsilon_value) {
  initialise::constant(gain, 1);
}

}  // namespace unroll::nn
