#include "nn/state.h"

#include <fmt/format.h>

namespace unroll::nn {

void Carry::keep(std::size_t i, Var v) {
  if (tensors_.size() <= i) tensors_.resize(i + 1);
  Tensor& kept = tensors_[i];
  if (kept.empty() || kept.shape() != v.shape() || kept.dtype() != v.dtype())
    kept = Tensor(v.shape(), v.dtype());
  if (!v.tape().dry())
    autograd::dispatch(v.dtype(), [&]<class T>() { autograd::copy(v.view<T>(), kept.view<T>()); });
}

const Tensor& Carry::tensor(std::size_t i) const {
  if (i >= tensors_.size() || tensors_[i].empty())
    autograd::fail("carry",
                   fmt::format("state tensor {} asked for, {} are kept; needed store() before load()", i,
                               tensors_.size()));
  return tensors_[i];
}

}  // namespace unroll::nn
