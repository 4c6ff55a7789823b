// The custom cell of docs/custom-cell.md, as it stands there.
#pragma once
#include "nn/cells.h"
#include "nn/initialise.h"
#include "nn/layers.h"
#include "ops/pointwise.h"

// Minimal gated unit (Zhou et al. 2016): one gate.
// f = sigmoid(x W_f + h U_f + b_f),  n = tanh(x W_n + (f h) U_n + b_n),  h' = (1 - f) h + f n
struct MinimalGatedUnit {
  unroll::Linear input;  // both projections side by side
  unroll::Parameter u_f, u_n;

  MinimalGatedUnit(unroll::Index in, unroll::Index hidden, unroll::Generator& generator)
      : input(in, 2 * hidden, generator), u_f("u_f", {hidden, hidden}), u_n("u_n", {hidden, hidden}) {
    for (auto* u : {&u_f, &u_n}) unroll::initialise::orthogonal(*u, generator);
  }
  unroll::Var project(unroll::Var xs) const { return input(xs); }
  unroll::Var step(unroll::Projected x, unroll::Var h) const {
    auto [gate, candidate] = x.split(h.cols(), h.cols());
    unroll::Var f = sigmoid(gate.add(h, u_f));
    unroll::Var n = candidate.add(f * h, u_n);
    const auto next = [](auto f, auto n, auto h) { return h + f * (tanh(n) - h); };
    return unroll::pointwise("mgu", next, f, n, h);
  }
  unroll::Var initial(unroll::Tape& tape, unroll::Index batch) const {
    return tape.zeros({batch, u_f.shape()[0]});
  }
  void members(unroll::Members& m) { m("input", input), m("u_f", u_f), m("u_n", u_n); }
};
