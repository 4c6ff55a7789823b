// Packed rows with their layout: what goes through recurrent layers.
#pragma once
#include "autograd/tape.h"
#include "ops/layout.h"

namespace unroll::nn {

/// Packed rows [N, F] with their layout, which must outlive the pass.
struct PackedSequence {
  autograd::Var rows;
  const ops::Layout* layout;
};

}  // namespace unroll::nn
