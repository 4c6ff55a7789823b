// Memory of one pass.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

namespace unroll::autograd {

/// Whether memory is only counted: its addresses are given out, but nobody will touch what lies there.
enum class Dry : bool { no, yes };

/// Bump allocator of 64-byte-aligned memory. clear() keeps the blocks, so that passes of one shape allocate
/// from the heap only the first time. Nothing in it is destroyed: it holds trivially destructible things.
class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;

  /// The blocks of a dry one may be larger than the machine's memory; only pages that are touched take any.
  explicit Arena(Dry dry = Dry::no) : dry_(dry) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// `bytes` of uninitialised memory, rounded up to a multiple of 64.
  std::byte* allocate(std::size_t bytes) {
    bytes = bytes == 0 ? kAlignment : (bytes + kAlignment - 1) & ~(kAlignment - 1);
    std::byte* p = bump(bytes, kAlignment);
    if (poison_) std::memset(p, 0xFF, bytes);  // all ones is a NaN in f32 and in f64
    return p;
  }
  template <class T>
  T* allocate_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return reinterpret_cast<T*>(allocate(count * sizeof(T)));
  }
  /// Small records without the 64-byte rounding.
  void* allocate_record(std::size_t bytes, std::size_t alignment) { return bump(bytes, alignment); }

  void clear();

  /// A place in the arena; rewind() takes back all that was handed out since.
  struct Mark {
    std::size_t block, offset, used;
  };
  Mark mark() const { return {current_, offset_, used_}; }
  void rewind(const Mark& mark) {
    use(mark.block);
    offset_ = mark.offset;
    used_ = mark.used;
  }

  /// Bytes handed out since the last clear().
  std::size_t used() const { return used_ + offset_; }
  /// Bytes held from the heap.
  std::size_t reserved() const;
  /// Fills new memory with this byte pattern of NaN, to catch reads of what nobody wrote. For tests.
  void poison(bool on) { poison_ = on; }

 private:
  struct Free {
    std::size_t mapped;  // bytes of a dry arena's block; 0 if it is from the heap
    void operator()(std::byte* memory) const;
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  struct Block {
    Memory memory;
    std::byte* begin;
    std::size_t size;
  };
  Memory take_block(std::size_t bytes) const;
  std::byte* bump(std::size_t bytes, std::size_t alignment) {
    std::size_t start = (offset_ + alignment - 1) & ~(alignment - 1);
    if (start + bytes > size_) [[unlikely]] {
      next_block(bytes);
      start = 0;
    }
    offset_ = start + bytes;
    return begin_ + start;
  }
  void next_block(std::size_t bytes);
  void use(std::size_t block) {
    current_ = block;
    begin_ = block < blocks_.size() ? blocks_[block].begin : nullptr;
    size_ = block < blocks_.size() ? blocks_[block].size : 0;
    offset_ = 0;
  }

  Dry dry_;
  std::vector<Block> blocks_;
  std::size_t current_ = 0;  // index of the block in use
  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t offset_ = 0;  // of its first free byte
  std::size_t used_ = 0;    // in the blocks before
  bool poison_ = false;
};

}  // namespace unroll::autograd
