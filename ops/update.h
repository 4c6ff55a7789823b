// One step of an optimiser over one parameter: the parameter, its gradient and the optimiser's state are read
// and written in a single sweep.
//
// In the formulas p is an element of the parameter, g of the gradient, and everything else of the state.
// Every rule begins with g += decay p, which is L2 regularisation of strength `decay`.
#pragma once
#include <span>
#include <variant>

#include "autograd/tensor/tensor.h"

namespace unroll::ops {

using autograd::Tensor;

/// p -= rate g. With momentum, v = momentum v + g and p -= rate v, or for Nesterov's p -= rate (g + momentum
/// v). State: v if there is momentum.
struct SgdUpdate {
  double rate, decay, momentum;
  bool nesterov;
};
/// s = smoothing s + (1 - smoothing) g^2, u = g / (sqrt(s) + epsilon), p -= rate u. With momentum,
/// v = momentum v + u and p -= rate v. State: s, and v if there is momentum.
struct RmspropUpdate {
  double rate, decay, smoothing, epsilon, momentum;
};
/// s += g^2, p -= rate g / (sqrt(s) + epsilon). State: s.
struct AdagradUpdate {
  double rate, decay, epsilon;
};
/// p -= shrink p, m = beta1 m + (1 - beta1) g, s = beta2 s + (1 - beta2) g^2,
/// p -= rate (m / correction1) / (sqrt(s / correction2) + epsilon). State: m, s.
struct AdamUpdate {
  double rate, decay, shrink, beta1, beta2, correction1, correction2, epsilon;
};
using Update = std::variant<SgdUpdate, RmspropUpdate, AdagradUpdate, AdamUpdate>;

/// All tensors have one shape and one dtype; `state` is as the rule says, in that order.
void update(const Update& update, Tensor& parameter, const Tensor& gradient, std::span<Tensor> state);
/// The same for some rows only: the others are neither read nor written.
void update_rows(const Update& update, std::span<const int> rows, Tensor& parameter, const Tensor& gradient,
                 std::span<Tensor> state);

}  // namespace unroll::ops
