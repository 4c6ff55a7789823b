// Memory that comes and goes within one pass: gradients and scratch.
#pragma once
#include <array>
#include <cstddef>
#include <vector>

#include "autograd/memory/arena.h"
#include "autograd/tensor/dtype.h"

namespace unroll::autograd {

/// Recycles blocks taken from an arena. Sizes are rounded up to one of eight steps an octave, so that ragged
/// batches reuse each other's blocks at the cost of at most an eighth.
class MemoryPool {
 public:
  explicit MemoryPool(Arena& arena) : arena_(arena) {}

  std::byte* take(std::size_t bytes);
  void give(std::byte* block, std::size_t bytes);
  /// Forgets all blocks; the arena is cleared by its owner.
  void clear();
  void poison(bool on) { poison_ = on; }

  /// Bytes in use now, and at most since clear().
  std::size_t used() const { return used_; }
  std::size_t peak() const { return peak_; }
  /// At most since watch() was called last.
  std::size_t highest() const { return highest_; }
  void watch() { highest_ = used_; }
  /// Bytes of its blocks, in use or not.
  std::size_t held() const { return held_; }
  /// What take(bytes) adds to used().
  static std::size_t block_size(std::size_t bytes);

 private:
  static constexpr std::size_t kBins = 16 + 8 * 44;

  Arena& arena_;
  std::array<std::vector<std::byte*>, kBins> free_;
  std::size_t bins_ = 0;  // of which the first so many have been used
  std::size_t used_ = 0;
  std::size_t peak_ = 0, highest_ = 0;
  std::size_t held_ = 0;
  bool poison_ = false;
};

/// Scratch memory for the length of a scope.
template <class T>
class Scratch {
 public:
  Scratch(MemoryPool& pool, Index count)
      : pool_(pool),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        block_(reinterpret_cast<T*>(pool.take(bytes_))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { pool_.give(reinterpret_cast<std::byte*>(block_), bytes_); }
  T* data() const { return block_; }

 private:
  MemoryPool& pool_;
  std::size_t bytes_;
  T* block_;
};

}  // namespace unroll::autograd
