#include "autograd/memory/pool.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace unroll::autograd {

namespace {
struct SizeClass {
  std::size_t bin, bytes;
};

// In cache lines: 1 to 15 exactly, then eight steps an octave, rounded up.
SizeClass size_class(std::size_t bytes) {
  std::size_t lines = std::max<std::size_t>(1, (bytes + Arena::kAlignment - 1) / Arena::kAlignment);
  if (lines < 16) return {lines, lines * Arena::kAlignment};
  int shift = std::bit_width(lines) - 4;
  std::size_t step = (lines + (std::size_t{1} << shift) - 1) >> shift;  // 8 to 16
  if (step == 16) {
    ++shift;
    step = 8;
  }
  return {16 + 8 * static_cast<std::size_t>(shift - 1) + (step - 8), (step << shift) * Arena::kAlignment};
}
}  // namespace

std::byte* MemoryPool::take(std::size_t bytes) {
  const auto [bin, size] = size_class(bytes);
  used_ += size;
  peak_ = std::max(peak_, used_);
  highest_ = std::max(highest_, used_);
  auto& free = free_[bin];
  if (free.empty()) {
    held_ += size;
    return arena_.allocate(size);
  }
  std::byte* block = free.back();
  free.pop_back();
  if (poison_) std::memset(block, 0xFF, size);
  return block;
}

std::size_t MemoryPool::block_size(std::size_t bytes) { return size_class(bytes).bytes; }

void MemoryPool::give(std::byte* block, std::size_t bytes) {
  const auto [bin, size] = size_class(bytes);
  used_ -= size;
  bins_ = std::max(bins_, bin + 1);
  free_[bin].push_back(block);
}

void MemoryPool::clear() {
  for (std::size_t bin = 0; bin < bins_; ++bin) free_[bin].clear();
  bins_ = 0;
  used_ = peak_ = highest_ = held_ = 0;
}

}  // namespace unroll::autograd
