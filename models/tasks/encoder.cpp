#include "models/tasks/encoder.h"

#include <cmath>

#include "nn/initialise.h"

namespace unroll::models {

namespace {

template <class C>
void append(nn::Stack<nn::Unidirectional<C>>& stack, Index in, Index hidden, Generator& generator) {
  stack.layers.push_back({C(in, hidden, generator)});
}
template <class C>
void append(nn::Stack<nn::Bidirectional<C>>& stack, Index in, Index hidden, Generator& generator) {
  C forward(in, hidden, generator), reverse(in, hidden, generator);
  stack.layers.push_back({std::move(forward), std::move(reverse)});
}

}  // namespace

Encoder::Encoder(Index in, const NetOptions& options, Generator& generator, Index last) {
  if (options.bidirectional) {
    if (options.cell == CellKind::elman) stack_.emplace<Both<nn::Elman>>();
    if (options.cell == CellKind::gru) stack_.emplace<Both<nn::Gru>>();
    if (options.cell == CellKind::lstm) stack_.emplace<Both<nn::Lstm>>();
  } else {
    if (options.cell == CellKind::elman) stack_.emplace<There<nn::Elman>>();
    if (options.cell == CellKind::gru) stack_.emplace<There<nn::Gru>>();
    if (options.cell == CellKind::lstm) stack_.emplace<There<nn::Lstm>>();
  }
  std::visit(
      [&](auto& stack) {
        stack.dropout = options.dropping();
        width_ = in;
        for (Index i = 0; i < options.layers; ++i) {
          const Index units = i + 1 == options.layers && last > 0 ? last : options.hidden;
          append(stack, width_, units, generator);
          width_ = options.bidirectional ? 2 * units : units;
        }
      },
      stack_);
}

namespace {

void remember_in(nn::Elman&, Index, Generator&) {
  autograd::fail("chrono", "an Elman cell came; needed one with gates: gru or lstm");
}
void remember_in(nn::Gru& cell, Index longest, Generator& generator) {
  // h' = (1 - z) n + z h: the update gate is what a forget gate is.
  nn::gate(cell.bias, 1, 3).fill([&](Index, Index) {
    return std::log(generator.uniform(1, static_cast<double>(longest - 1)));
  });
}
void remember_in(nn::Lstm& cell, Index longest, Generator& generator) {
  nn::initialise::chrono(nn::gate(cell.bias, 1, 4), nn::gate(cell.bias, 0, 4), longest, generator);
}

}  // namespace

void Encoder::remember(Index longest, Generator& generator) {
  std::visit(
      [&](auto& stack) {
        for (auto& layer : stack.layers) {
          if constexpr (requires { layer.cell; }) {
            remember_in(layer.cell, longest, generator);
          } else {
            remember_in(layer.forward, longest, generator);
            remember_in(layer.reverse, longest, generator);
          }
        }
      },
      stack_);
}

nn::PackedSequence Encoder::operator()(const nn::PackedSequence& xs, Generator* noise) const {
  return std::visit([&](const auto& stack) { return stack(xs, noise).outputs; }, stack_);
}

nn::PackedSequence Encoder::operator()(const nn::PackedSequence& xs, const nn::Carry& from, nn::Carry& to,
                                       Generator* noise) const {
  return std::visit(
      [&](const auto& stack) -> nn::PackedSequence {
        if constexpr (requires { stack(xs, from, to, noise); })
          return stack(xs, from, to, noise).outputs;
        else
          autograd::fail("encoder", "a bidirectional net came; needed one direction to carry a state on");
      },
      stack_);
}

Var Encoder::operator()(const nn::PackedSequence& xs, const nn::Pooling& pooling, Generator* noise) const {
  return std::visit([&](const auto& stack) { return pooling(stack(xs, noise)); }, stack_);
}

}  // namespace unroll::models
