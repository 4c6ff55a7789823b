// Tensors by name: what checkpoints are made of.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/system/message.h"
#include "autograd/tensor/tensor.h"

namespace unroll::nn {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A tensor of somebody else's that is to be filled.
struct Destination {
  std::string name;
  Tensor* tensor;
};

/// Copies every tensor of `from` into the destination of its name, converted to the destination's dtype.
/// Names and shapes must agree both ways: otherwise one Error, "[op] source: ...", lists what is missing,
/// what is superfluous and what has another shape, and nothing is changed.
void assign(std::span<const NamedTensor> from, std::span<const Destination> into, std::string_view op,
            std::string_view source, SourceLocation location);

using autograd::in_quotes;

}  // namespace unroll::nn

namespace unroll {
using nn::NamedTensor;
}
