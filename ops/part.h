// A part of a pass that is a pass of its own, on an inner tape: what ops/recompute and ops/parallel are made
// of.
#pragma once
#include <span>

#include "autograd/tape.h"

namespace unroll::ops::detail {

/// Computes part number `part` of a node on `tape`: from inputs `in`, results in `out`.
using PartFunction = void (*)(const void* f, int part, autograd::Tape& tape, std::span<const Var> in,
                              std::span<Var> out);

template <class T>
std::byte* bytes_of(const T* numbers) {
  return reinterpret_cast<std::byte*>(const_cast<T*>(numbers));
}

/// The results of a part, which lie one after the other in the one output of its node.
struct PartResults {
  std::span<const autograd::Shape> shapes;

  Index size() const;
  /// Throws Error unless these are the shapes of `out`.
  void check(const char* op, std::span<const Var> out, SourceLocation location) const;
  /// Into the output of the node, from `to` on.
  void copy(std::span<const Var> out, std::byte* to) const;
  /// Walks back from them over the inner tape, the gradient of the node's output being at `seed`.
  void walk_back(std::span<const Var> out, const std::byte* seed, Gradients& gradients) const;
  /// Adds the handles of the results, of which `all` is the output of the node from element `begin` on.
  void take(Var all, Index begin, std::span<Var> results) const;
};

}  // namespace unroll::ops::detail
