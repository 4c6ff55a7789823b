#include "nn/recurrent.h"

#include <fmt/format.h>

namespace unroll::nn::detail {

std::string layer_name(std::size_t i) { return fmt::format("layers.{}", i); }

Sequence dropped(const Sequence& xs, double probability, bool variational, Generator* noise, Where where) {
  if (!noise || probability == 0) return xs;
  const Var rows = variational ? ops::variational_dropout(xs.rows, *xs.layout, probability, *noise, where)
                               : ops::dropout(xs.rows, probability, *noise, where);
  return {rows, xs.layout};
}

}  // namespace unroll::nn::detail
