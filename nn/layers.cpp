#include "nn/layers.h"

#include "nn/initialise.h"

namespace unroll::nn {

Linear::Linear(Index in, Index out, Generator& generator, Where where)
    : weight("weight", detail::weight_shape("linear", in, out, where)), bias("bias", {out}) {
  initialise::glorot_uniform(weight, generator);
}

Embedding::Embedding(Index vocabulary, Index width, Generator& generator, double deviation, Where where)
    : weight("weight", detail::weight_shape("embedding", vocabulary, width, where)) {
  initialise::normal(weight, generator, 0, deviation);
}

Var Dropout::operator()(Var x, Generator* noise, Where where) const {
  if (variational)
    autograd::fail("dropout", "rows without a layout came; needed a Sequence, which has time steps", where);
  return noise ? ops::dropout(x, probability, *noise, where) : x;
}

Sequence Dropout::operator()(const Sequence& xs, Generator* noise, Where where) const {
  if (!noise) return xs;
  return {variational ? ops::variational_dropout(xs.rows, *xs.layout, probability, *noise, where)
                      : ops::dropout(xs.rows, probability, *noise, where),
          xs.layout};
}

LayerNorm::LayerNorm(Index width, double epsilon_value)
    : gain("gain", {width}), bias("bias", {width}), epsilon(epsilon_value) {
  initialise::constant(gain, 1);
}

}  // namespace unroll::nn
