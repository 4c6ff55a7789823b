// What the built-in cells do to their gates, element by element. See nn/cells.h for the sources.
#pragma once
#include <tuple>

#include "ops/vocabulary.h"

namespace unroll::nn::formulas {

/// Gates i, f, g, o and the last c; gives h and c.
inline constexpr auto lstm = [](auto i, auto f, auto g, auto o, auto c) {
  auto c_next = sigmoid(f, "forget") * c + sigmoid(i, "input") * tanh(g, "candidate");
  return std::tuple{sigmoid(o, "output") * tanh(c_next, "tanh(c)"), c_next};
};

/// The same where the gates see c through weights of their own.
inline constexpr auto lstm_with_peepholes = [](auto i, auto f, auto g, auto o, auto c, auto p_i, auto p_f,
                                               auto p_o) {
  auto c_next = sigmoid(f + p_f * c, "forget") * c + sigmoid(i + p_i * c, "input") * tanh(g, "candidate");
  return std::tuple{sigmoid(o + p_o * c_next, "output") * tanh(c_next, "tanh(c)"), c_next};
};

/// Parts of r, z, n from the input and from the last h, the recurrent bias of n, and h.
inline constexpr auto gru_reset_after = [](auto x_r, auto x_z, auto x_n, auto h_r, auto h_z, auto h_n, auto b,
                                           auto h) {
  auto n = tanh(x_n + sigmoid(x_r + h_r, "reset") * (h_n + b), "candidate");
  return n + sigmoid(x_z + h_z, "update") * (h - n);
};

/// What the candidate sees of h.
inline constexpr auto gru_reset = [](auto r, auto h) { return sigmoid(r, "reset") * h; };

/// Update gate, candidate before its tanh, and h.
inline constexpr auto gru_update = [](auto z, auto n, auto h) {
  auto candidate = tanh(n, "candidate");
  return candidate + sigmoid(z, "update") * (h - candidate);
};

}  // namespace unroll::nn::formulas
