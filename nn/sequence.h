// Packed rows with their layout: what goes through recurrent layers.
#pragma once
#include <cstdint>
#include <span>

#include "autograd/tape.h"
#include "ops/layout.h"

namespace unroll::nn {

/// Packed rows [N, F] with their layout, which must outlive this, but not the pass.
struct PackedSequence {
  autograd::Var rows;
  const ops::Layout* layout;
  /// By packed row, of the pass's length: not 0 where the state is the first one again before this step, as
  /// if a sequence began (an episode of reinforcement learning). None if it is empty.
  std::span<const std::uint8_t> resets{};
};

}  // namespace unroll::nn
