// From a sequence to one row: last state, mean, maximum, attention; and the heads on top.
#pragma once
#include <optional>
#include <vector>

#include "nn/cells.h"
#include "nn/layers.h"
#include "nn/recurrent.h"

namespace unroll::nn {

enum class Pool { last, mean, max, attention };

/// [N, H] ragged rows to [B, H], in the caller's order of sequences.
struct Pooling {
  Pool kind = Pool::max;
  // Attention (Yang et al. 2016): weights softmax over time of context' tanh(W h_t + b).
  std::optional<Linear> projection;  // [H, A]
  std::optional<Parameter> context;  // [A, 1]

  Pooling() = default;
  /// `width` and `attention` (the extent A) matter to attention only.
  Pooling(Pool kind, Index width, Generator& generator, Index attention = 64,
          SourceLocation location = SourceLocation::current());

  /// What a recurrent layer gave. The last state is that of each direction's own end.
  template <class Scanned>
  Var operator()(const Scanned& scanned, SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(scanned.outputs.rows.tape(location), *this, location);
    return kind == Pool::last ? final_state(scanned) : over_time(scanned.outputs, location);
  }
  void members(Members& m) { m("projection", projection), m("context", context); }

 private:
  Var over_time(const PackedSequence& xs, SourceLocation location) const;
};

/// The last output of each sequence [B, H]; of both directions side by side [B, H1 + H2].
template <class State>
Var final_state(const Scanned<State>& scanned) {
  return *fields(scanned.last)[0];
}
template <class F, class R>
Var final_state(const ScannedBoth<F, R>& scanned) {
  return detail::beside(*fields(scanned.last_forward)[0], *fields(scanned.last_reverse)[0]);
}

struct HeadOptions {
  std::vector<Index> hidden;  // extents of the layers before the last
  double dropout = 0;         // before each layer
  Activation activation = ops::relu;
};

/// Rows to logits: linear, or with hidden layers. For a sentence on pooled rows [B, H], for each step on
/// packed rows [N, H]; the loss decides whether the labels exclude each other (cross entropy) or not
/// (binary).
struct Head {
  std::vector<Linear> layers;
  double dropout = 0;
  Activation activation = ops::relu;

  Head() = default;
  Head(Index in, Index classes, Generator& generator, const HeadOptions& options = {},
       SourceLocation location = SourceLocation::current());
  /// Logits [rows, classes]. Dropout is applied only with a generator.
  Var operator()(Var x, Generator* noise = nullptr,
                 SourceLocation location = SourceLocation::current()) const;
  void members(Members& m) { m("layers", layers); }
};

/// The output layer of the textbook net: y_t = g(a_t W_ya + b_y) at each step, with an activation of its own.
struct OutputLayer {
  Linear linear;
  Activation activation = ops::sigmoid;
  PackedSequence operator()(const PackedSequence& states,
                            SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(states.rows.tape(location), *this, location);
    return {activation(linear(states.rows, location), location), states.layout};
  }
  void members(Members& m) { m("linear", linear); }
};

}  // namespace unroll::nn

namespace unroll {
using nn::Head;
using nn::HeadOptions;
using nn::OutputLayer;
using nn::Pool;
using nn::Pooling;
}  // namespace unroll
