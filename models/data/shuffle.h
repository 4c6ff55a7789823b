// A random order, the same on every machine.
#pragma once
#include <utility>
#include <vector>

#include "ops/random.h"

namespace unroll::models {

/// Each order is as likely as any other (Fisher and Yates).
template <class X>
void shuffle(std::vector<X>& list, ops::Generator& generator) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[generator.below(i)]);
}

}  // namespace unroll::models
