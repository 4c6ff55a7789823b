// The recurrent cells: Elman, LSTM, GRU. Written with what nn/recurrence.h and ops/pointwise.h offer to
// everybody, so that a cell of your own is as fast; docs/custom-cell.md writes one.
//
// Weights are stored [in, out], the gates of a cell side by side in its columns.
#pragma once
#include <optional>

#include "nn/activation.h"
#include "nn/recurrence.h"

namespace unroll::nn {

/// a_t = g(x_t W_ih + a_(t-1) W_hh + b), Elman 1990.
struct Elman {
  Parameter weight_ih, weight_hh, bias;  // [in, H], [H, H], [H]
  Activation activation = ops::tanh;

  Elman() = default;
  /// Glorot-uniform input weights, orthogonal recurrent weights, bias 0.
  Elman(Index in, Index hidden, Generator& generator, Activation activation = ops::tanh,
        SourceLocation location = SourceLocation::current());

  Var project(Var xs) const { return affine(xs, weight_ih, bias); }
  Var step(Projected x, Var h) const { return activation(x.add(h, weight_hh), SourceLocation::current()); }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, weight_hh.shape()[0]}); }
  void members(Members& m) { m("weight_ih", weight_ih), m("weight_hh", weight_hh), m("bias", bias); }
};

struct LstmOptions {
  double forget_bias = 1;
  bool peepholes = false;  // Gers, Schraudolph and Schmidhuber 2002: the gates see c
  Index projection = 0;    // Sak, Senior and Beaufays 2014: h is projected to so many units; 0 for none
};

/// With gates i, f, g, o = x_t W_ih + h_(t-1) W_hh + b:
/// c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g),  h_t = sigmoid(o) tanh(c_t)  (Gers, Schmidhuber, Cummins
/// 2000).
struct Lstm {
  struct State {
    Var h, c;  // [B, H] each; h is [B, P] with a projection
  };
  Parameter weight_ih, weight_hh, bias;                         // [in, 4H], [H or P, 4H], [4H]
  std::optional<Parameter> peephole_i, peephole_f, peephole_o;  // [H]: i and f see c_(t-1), o sees c_t
  std::optional<Parameter> weight_hr;                           // [H, P]

  Lstm() = default;
  /// Glorot-uniform input weights, orthogonal recurrent weights a gate, biases 0 but the forget gate's.
  Lstm(Index in, Index hidden, Generator& generator, const LstmOptions& options = {},
       SourceLocation location = SourceLocation::current());

  Var project(Var xs) const { return affine(xs, weight_ih, bias); }
  State step(Projected x, State s) const;
  State initial(Tape& tape, Index batch) const;
  void members(Members& m);
};

/// When the reset gate acts on the recurrent part of the candidate.
enum class Reset { before, after };

/// With gates r, z = sigmoid(x_t W_i + h_(t-1) W_h + b):  h_t = (1 - z) n + z h_(t-1), where
/// n = tanh(x_t W_in + b_n + (r h_(t-1)) W_hn)              Reset::before, Cho et al. 2014
/// n = tanh(x_t W_in + b_n + r (h_(t-1) W_hn + b_hn))       Reset::after, as in PyTorch and cuDNN
struct Gru {
  Parameter weight_ih, weight_hh, bias;  // [in, 3H], [H, 3H] (before: [H, 2H]), [3H]; gates r, z, n
  std::optional<Parameter> weight_hn;    // before: [H, H]
  std::optional<Parameter> bias_hn;      // after: [H]

  Gru() = default;
  /// Glorot-uniform input weights, orthogonal recurrent weights a gate, biases 0.
  Gru(Index in, Index hidden, Generator& generator, Reset reset = Reset::after,
      SourceLocation location = SourceLocation::current());

  Var project(Var xs) const { return affine(xs, weight_ih, bias); }
  Var step(Projected x, Var h) const;
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, weight_hh.shape()[0]}); }
  void members(Members& m);

 private:
  Var step_before(Projected x, Var h) const;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Elman;
using nn::Gru;
using nn::Lstm;
using nn::LstmOptions;
using nn::Reset;
}  // namespace unroll
