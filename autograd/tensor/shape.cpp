#include "autograd/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <vector>

namespace unroll::autograd {

void Shape::reject_rank(std::size_t rank, SourceLocation location) {
  fail("shape", fmt::format("{} extents came; needed at most {}", rank, kMaxRank), location);
}

void Shape::reject_extent(Index extent, SourceLocation location) {
  fail("shape", fmt::format("an extent of {} came; needed 0 to 2147483647", extent), location);
}

// By counting binary digits, so that nothing can overflow: at most 59 together leave room for bytes.
void Shape::check_size(SourceLocation location) const {
  int digits = 0;
  for (int i = 0; i < rank_; ++i)
    digits += std::bit_width(static_cast<std::uint32_t>(extents_[static_cast<std::size_t>(i)]));
  if (digits > 59)
    fail("shape", fmt::format("{} came; needed extents with a product below 2^56", to_string(*this)),
         location);
}

Shape Shape::without(int axis) const {
  if (axis < 0) axis += rank_;
  Shape result;
  for (int i = 0; i < rank_; ++i)
    if (i != axis)
      result.extents_[static_cast<std::size_t>(result.rank_++)] = extents_[static_cast<std::size_t>(i)];
  result.finish({});
  return result;
}

std::string to_string(const Shape& shape) {
  std::vector<Index> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

}  // namespace unroll::autograd
