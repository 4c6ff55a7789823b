#include "nn/recurrent.h"

#include <fmt/format.h>

#include "ops/segment.h"

namespace unroll::nn::detail {

std::string layer_name(std::size_t i) { return fmt::format("layers.{}", i); }

Sequence dropped(const Sequence& xs, double probability, bool variational, Generator* noise, Where where) {
  if (!noise || probability == 0) return xs;
  if (!variational) return {ops::dropout(xs.rows, probability, *noise, where), xs.layout};
  const Shape each{xs.layout->batch(), xs.rows.cols()};
  const Var mask = ops::dropout_mask(xs.rows.tape(), each, probability, *noise, where);
  return {ops::dropout(xs.rows, ops::repeat_over_time(mask, *xs.layout, where), where), xs.layout};
}

}  // namespace unroll::nn::detail
