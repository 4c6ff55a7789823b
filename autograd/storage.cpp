#include "autograd/storage.h"

#include <fmt/format.h>

#include <cstring>
#include <new>
#include <utility>

namespace unroll::autograd {

std::byte* Storage::spare_or_new(std::size_t bytes) {
  if (bytes > spare_.bytes || bytes < spare_.bytes / 2) return arena_.allocate(bytes);
  std::byte* memory = std::exchange(spare_, {}).memory;
  if (poisoned_) std::memset(memory, 0xFF, bytes);
  return memory;
}

std::byte* Storage::leaf(const Shape& shape, DType dtype, const char* op, SourceLocation location) {
  const std::size_t bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype);
  try {
    return arena_.allocate(bytes);
  } catch (const std::bad_alloc&) {
    fail(op,
         fmt::format("a value of shape {} came, of {} bytes; needed one that there is memory for",
                     to_string(shape), bytes),
         location);
  }
}

void Storage::poison(bool on) {
  poisoned_ = on;
  arena_.poison(on);
  lasting_.poison(on);
  pool_.poison(on);
}

void Storage::clear() {
  spare_ = {};
  arena_.clear();
  lasting_.clear();
  pool_.clear();
}

}  // namespace unroll::autograd
