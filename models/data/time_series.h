// Numbers over time.
#pragma once
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

/// `steps()` rows of `columns` numbers each, row by row.
struct Series {
  Index columns = 0;
  std::vector<float> values;
  Index steps() const { return columns == 0 ? 0 : static_cast<Index>(values.size()) / columns; }
};

}  // namespace unroll::models
