// Numbers of things, as people read them.
#pragma once
#include <string>
#include <string_view>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

/// "1,234,567"
std::string with_commas(Index n);
/// "1 thread", "1,234 threads"
std::string counted(Index n, std::string_view thing);

}  // namespace unroll::models
