#include "autograd/memory/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

namespace unroll::autograd {

namespace {
constexpr std::size_t kFirstBlock = std::size_t{64} * 1024;
constexpr std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }
}  // namespace

// The next kept block that is large enough, or a new one, at least as large as all before it together.
void Arena::next_block(std::size_t bytes) {
  std::size_t next = size_ == 0 ? 0 : current_ + 1;
  while (next < blocks_.size() && blocks_[next].size < bytes) ++next;
  if (next == blocks_.size()) {
    const std::size_t size = std::max({kFirstBlock, reserved(), round_up(bytes, kAlignment)});
    Memory memory = take_block(size + kAlignment);
    auto address = reinterpret_cast<std::uintptr_t>(memory.get());
    std::byte* begin = memory.get() + (round_up(address, kAlignment) - address);
    blocks_.push_back({std::move(memory), begin, size});
  }
  used_ += offset_;
  use(next);
}

// For a dry arena, address space. Huge pages would make a record of a few bytes take two megabytes.
Arena::Memory Arena::take_block(std::size_t bytes) const {
  if (dry_ == Dry::no) return Memory(new std::byte[bytes], Free{0});
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  madvise(p, bytes, MADV_NOHUGEPAGE);
  return Memory(static_cast<std::byte*>(p), Free{bytes});
}

void Arena::Free::operator()(std::byte* memory) const {
  if (mapped)
    munmap(memory, mapped);
  else
    delete[] memory;
}

void Arena::clear() {
  use(0);
  used_ = 0;
}

std::size_t Arena::reserved() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.size;
  return total;
}

}  // namespace unroll::autograd
