#include "autograd/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <vector>

#include "autograd/error.h"

namespace unroll::autograd {

Shape::Shape(std::initializer_list<Index> extents) {
  if (extents.size() > kMaxRank)
    fail("shape", fmt::format("{} extents came; needed at most {}", extents.size(), kMaxRank));
  for (Index extent : extents) {
    if (extent < 0 || extent > std::numeric_limits<std::int32_t>::max())
      fail("shape", fmt::format("an extent of {} came; needed 0 to 2147483647", extent));
    extents_[static_cast<std::size_t>(rank_++)] = static_cast<std::int32_t>(extent);
  }
}

Shape Shape::with(int axis, Index extent) const {
  Shape checked{extent}, result = *this;
  result.extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = checked.extents_[0];
  return result;
}

Shape Shape::without(int axis) const {
  if (axis < 0) axis += rank_;
  Shape result;
  for (int i = 0; i < rank_; ++i)
    if (i != axis)
      result.extents_[static_cast<std::size_t>(result.rank_++)] = extents_[static_cast<std::size_t>(i)];
  return result;
}

std::string to_string(const Shape& shape) {
  std::vector<Index> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

}  // namespace unroll::autograd
