#include "nn/pooling.h"

#include <fmt/format.h>

#include "nn/initialise.h"
#include "ops/segment.h"
#include "ops/softmax.h"

namespace unroll::nn {

Pooling::Pooling(Pool pool, Index width, Generator& generator, Index attention, SourceLocation location)
    : kind(pool) {
  if (kind != Pool::attention) return;
  projection.emplace(width, attention, generator, location);
  context.emplace("context", Shape{attention, 1});
  initialise::glorot_uniform(*context, generator);
}

Var Pooling::over_time(const PackedSequence& xs, SourceLocation location) const {
  if (kind == Pool::mean) return ops::segment_mean(xs.rows, *xs.layout, location);
  if (kind == Pool::max) return ops::segment_max(xs.rows, *xs.layout, location);
  if (!projection || !context)
    autograd::fail("pooling", "attention was asked of a Pooling without its weights; needed one made with it",
                   location);
  const Var scores = matmul(tanh((*projection)(xs.rows, location), location), *context);
  const Var weights = ops::segment_softmax(scores, *xs.layout, location);
  return ops::segment_sum(xs.rows, weights, *xs.layout, location);
}

Head::Head(Index in, Index classes, Generator& generator, const HeadOptions& options, SourceLocation location)
    : dropout(options.dropout), activation(options.activation) {
  for (Index width : options.hidden) {
    layers.emplace_back(in, width, generator, location);
    in = width;
  }
  layers.emplace_back(in, classes, generator, location);
}

Var Head::operator()(Var x, Generator* noise, SourceLocation location) const {
  const auto scope = enter(x.tape(location), *this, location);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) x = activation(x, location);
    if (dropout > 0) x = Dropout{dropout}(x, noise, location);
    x = layers[i](x, location);
  }
  return x;
}

}  // namespace unroll::nn
