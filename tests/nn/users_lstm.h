// An LSTM as a user writes it, to be held against the built-in one: what it costs, and how long it takes.
#pragma once
#include <tuple>

#include "nn/nn.h"

/// The formula of nn::Lstm, and its weights.
struct UsersLstm {
  unroll::Linear input;
  unroll::Parameter w;
  struct State {
    unroll::Var h, c;
  };
  UsersLstm(unroll::Index in, unroll::Index hidden, unroll::Generator& random)
      : input(in, 4 * hidden, random), w("w", {hidden, 4 * hidden}) {
    unroll::initialise::glorot_uniform(w, random);
  }
  unroll::Var project(unroll::Var xs) const { return input(xs); }
  State step(unroll::Projected x, State s) const {
    const auto [i, f, g, o] = unroll::split<4>(x.add(s.h, w));
    const auto [h, c] = unroll::pointwise(
        "user's lstm",
        [](auto i, auto f, auto g, auto o, auto c) {
          auto next = sigmoid(f) * c + sigmoid(i) * tanh(g);
          return std::tuple{sigmoid(o) * tanh(next), next};
        },
        i, f, g, o, s.c);
    return {h, c};
  }
  State initial(unroll::Tape& tape, unroll::Index batch) const {
    const unroll::Var zero = tape.zeros({batch, w.shape()[0]});
    return {zero, zero};
  }
  void members(unroll::Members& m) { m("input", input), m("w", w); }
};
