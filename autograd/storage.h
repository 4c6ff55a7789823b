// The memory of a pass: where values, gradients and packed copies lie.
#pragma once
#include <cstddef>

#include "autograd/memory/arena.h"
#include "autograd/memory/pool.h"
#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"

namespace unroll::autograd {

/// An arena for what is recorded, and one for what outlives a Transient: blocks of the pool, which are
/// gradients and scratch, and packed copies of values from before it.
class Storage {
 public:
  explicit Storage(Dry dry) : arena_(dry), lasting_(dry), dry_(dry == Dry::yes) {}

  bool dry() const { return dry_; }
  Arena& arena() { return arena_; }
  const Arena& arena() const { return arena_; }
  Arena& lasting() { return lasting_; }
  MemoryPool& pool() { return pool_; }
  const MemoryPool& pool() const { return pool_; }

  /// Memory for the output of a node: what a value of about this size has left, or new.
  std::byte* output(std::size_t bytes) {
    return spare_.memory ? spare_or_new(bytes) : arena_.allocate(bytes);
  }
  /// Memory for a leaf; throws Error if there is none.
  std::byte* leaf(const Shape& shape, DType dtype, const char* op, SourceLocation location);
  /// The values there have moved elsewhere: the next output may take it.
  void leave(std::byte* memory, std::size_t bytes) { spare_ = {memory, bytes}; }
  void forget_spare() { spare_ = {}; }

  /// Bytes in use now: what the arena gave out, packed copies, and what is taken of the pool.
  struct Usage {
    std::size_t arena, packed, pool;
    std::size_t total() const { return arena + packed + pool; }
  };
  Usage usage() const { return {arena_.used(), lasting_.used() - pool_.held(), pool_.used()}; }
  /// Bytes held from the heap.
  std::size_t reserved() const { return arena_.reserved() + lasting_.reserved(); }

  void poison(bool on);
  bool poisoned() const { return poisoned_; }
  void clear();

 private:
  std::byte* spare_or_new(std::size_t bytes);

  Arena arena_;
  Arena lasting_;
  MemoryPool pool_{lasting_};
  struct {
    std::byte* memory;
    std::size_t bytes;
  } spare_{};  // in the arena
  bool dry_, poisoned_ = false;
};

}  // namespace unroll::autograd
