#include "nn/recurrent.h"

namespace unroll::nn::detail {

Sequence dropped(const Sequence& xs, double probability, bool variational, Generator* noise, Where where) {
  if (!noise || probability == 0) return xs;
  const Var rows = variational ? ops::variational_dropout(xs.rows, *xs.layout, probability, *noise, where)
                               : ops::dropout(xs.rows, probability, *noise, where);
  return {rows, xs.layout};
}

}  // namespace unroll::nn::detail
