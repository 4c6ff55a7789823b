#include "nn/pooling.h"

#include <fmt/format.h>

#include "nn/initialise.h"
#include "ops/segment.h"
#include "ops/softmax.h"

namespace unroll::nn {

Pooling::Pooling(Pool pool, Index width, Generator& generator, Index attention, Where where) : kind(pool) {
  if (kind != Pool::attention) return;
  projection.emplace(width, attention, generator, where);
  context.emplace("context", Shape{attention, 1});
  initialise::glorot_uniform(*context, generator);
}

Var Pooling::over_time(const Sequence& xs, Where where) const {
  if (kind == Pool::mean) return ops::segment_mean(xs.rows, *xs.layout, where);
  if (kind == Pool::max) return ops::segment_max(xs.rows, *xs.layout, where);
  if (!projection || !context)
    autograd::fail("pooling", "attention was asked of a Pooling without its weights; needed one made with it",
                   where);
  const Var scores = matmul(tanh((*projection)(xs.rows, where), where), *context);
  const Var weights = ops::segment_softmax(scores, *xs.layout, where);
  return ops::segment_sum(xs.rows, weights, *xs.layout, where);
}

Head::Head(Index in, Index classes, Generator& generator, const HeadOptions& options, Where where)
    : dropout(options.dropout), activation(options.activation) {
  for (Index width : options.hidden) {
    layers.emplace_back(in, width, generator, where);
    in = width;
  }
  layers.emplace_back(in, classes, generator, where);
}

Var Head::operator()(Var x, Generator* noise, Where where) const {
  const auto scope = enter(x.tape(where), *this, where);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) x = activation(x, where);
    if (dropout > 0) x = Dropout{dropout}(x, noise, where);
    x = layers[i](x, where);
  }
  return x;
}

}  // namespace unroll::nn
