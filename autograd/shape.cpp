#include "autograd/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <vector>

#include "autograd/error.h"

namespace unroll::autograd {

namespace {
std::int32_t checked(Index extent) {
  if (extent < 0 || extent > std::numeric_limits<std::int32_t>::max())
    fail("shape", fmt::format("an extent of {} came; needed 0 to 2147483647", extent));
  return static_cast<std::int32_t>(extent);
}
}  // namespace

Shape::Shape(std::initializer_list<Index> extents) {
  if (extents.size() > kMaxRank)
    fail("shape", fmt::format("{} extents came; needed at most {}", extents.size(), kMaxRank));
  for (Index extent : extents) extents_[static_cast<std::size_t>(rank_++)] = checked(extent);
}

Shape Shape::with(int axis, Index extent) const {
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = checked(extent);
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
