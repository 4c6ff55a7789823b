#include "nn/layers.h"

#include "nn/initialise.h"

namespace unroll::nn {

Linear::Linear(Index in, Index out, Generator& generator, SourceLocation location)
    : weight("weight", detail::weight_shape("linear", in, out, location)), bias("bias", {out}) {
  initialise::glorot_uniform(weight, generator);
}

Embedding::Embedding(Index vocabulary, Index width, Generator& generator, double deviation,
                     SourceLocation location)
    : weight("weight", detail::weight_shape("embedding", vocabulary, width, location)) {
  initialise::normal(weight, generator, 0, deviation);
}

Var Dropout::operator()(Var x, Generator* noise, SourceLocation location) const {
  if (variational)
    autograd::fail("dropout", "rows without a layout came; needed a PackedSequence, which has time steps",
                   location);
  return noise ? ops::dropout(x, probability, *noise, location) : x;
}

PackedSequence Dropout::operator()(const PackedSequence& xs, Generator* noise,
                                   SourceLocation location) const {
  if (!noise) return xs;
  return {variational ? ops::variational_dropout(xs.rows, *xs.layout, probability, *noise, location)
                      : ops::dropout(xs.rows, probability, *noise, location),
          xs.layout, xs.resets};
}

LayerNorm::LayerNorm(Index width, double epsilon_value)
    : gain("gain", {width}), bias("bias", {width}), epsilon(epsilon_value) {
  initialise::constant(gain, 1);
}

}  // namespace unroll::nn
