// Modules without a time loop: Linear, Embedding, LayerNorm, Dropout, and their composition.
#pragma once
#include <concepts>
#include <span>
#include <tuple>

#include "nn/module.h"
#include "nn/sequence.h"
#include "ops/dropout.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/layer_norm.h"
#include "ops/matmul.h"

namespace unroll::nn {

using autograd::Tape;

/// x W + b for x [..., in].
struct Linear {
  Parameter weight, bias;  // [in, out], [out]

  Linear() = default;
  /// Glorot-uniform weights, bias 0.
  Linear(Index in, Index out, Generator& generator, SourceLocation location = SourceLocation::current());
  Var operator()(Var x, SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(x.tape(location), *this, location);
    return affine(x, weight, bias, location);
  }
  void members(Members& m) { m("weight", weight), m("bias", bias); }
};

/// One row of a table for each index. Its gradient touches only the rows that were used.
struct Embedding {
  Parameter weight;  // [vocabulary, width]

  Embedding() = default;
  /// Normal weights of the given standard deviation.
  Embedding(Index vocabulary, Index width, Generator& generator, double deviation = 0.1,
            SourceLocation location = SourceLocation::current());
  /// [indices, width]; throws Error for an index outside of the vocabulary.
  Var operator()(Tape& tape, std::span<const int> indices,
                 SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(tape, *this, location);
    return ops::gather_rows(tape, weight, indices, {}, location);
  }
  void members(Members& m) { m("weight", weight); }
};

/// (x - mean) / sqrt(variance + epsilon) over the last axis, times gain plus bias (Ba, Kiros and Hinton
/// 2016).
struct LayerNorm {
  Parameter gain, bias;  // [width]
  double epsilon = 1e-5;

  LayerNorm() = default;
  explicit LayerNorm(Index width, double epsilon = 1e-5);
  Var operator()(Var x, SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(x.tape(location), *this, location);
    return ops::layer_norm(x, gain, bias, epsilon, location);
  }
  void members(Members& m) { m("gain", gain), m("bias", bias); }
};

/// Sets elements to 0 with this probability, and scales the others by 1 / (1 - probability). Without a
/// generator (evaluation) it gives x itself.
struct Dropout {
  double probability = 0.5;
  bool variational = false;  // the same elements at all time steps (Gal and Ghahramani 2016)

  /// Throws Error if variational: rows alone have no time steps.
  Var operator()(Var x, Generator* noise, SourceLocation location = SourceLocation::current()) const;
  PackedSequence operator()(const PackedSequence& xs, Generator* noise,
                            SourceLocation location = SourceLocation::current()) const;
  void members(Members&) {}
};

/// Modules and functions of one Var, applied one after the other:
///
///   Sequential{Linear(8, 16, g), relu, Dropout{0.2}, Linear(16, 3, g)}
///
/// A name that C has too, such as tanh, stands for several functions: write Activation(tanh). With a
/// generator, the layers that have noise (Dropout, Head, another Sequential) draw it from there; without,
/// there is none.
template <class... Layers>
struct Sequential {
  std::tuple<Layers...> layers;

  explicit Sequential(Layers... list) : layers(std::move(list)...) {}
  Var operator()(Var x, Generator* noise = nullptr,
                 SourceLocation location = SourceLocation::current()) const {
    const auto scope = enter(x.tape(location), *this, location);
    auto apply = [&](const auto& layer) {
      if constexpr (std::invocable<decltype(layer), Var, Generator*, SourceLocation>)
        return layer(x, noise, location);
      else if constexpr (std::invocable<decltype(layer), Var, SourceLocation>)
        return layer(x, location);
      else
        return layer(x);
    };
    std::apply([&](const auto&... layer) { ((x = apply(layer)), ...); }, layers);
    return x;
  }
  void members(Members& m) {
    int i = 0;
    auto list = [&](auto& layer) {
      if constexpr (Module<std::remove_reference_t<decltype(layer)>>) m(std::to_string(i), layer);
      ++i;
    };
    std::apply([&](auto&... layer) { (list(layer), ...); }, layers);
  }
};

}  // namespace unroll::nn

namespace unroll {
using nn::Dropout;
using nn::Embedding;
using nn::LayerNorm;
using nn::Linear;
using nn::Sequential;
}  // namespace unroll
