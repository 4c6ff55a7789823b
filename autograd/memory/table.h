// A list of plain records that grows at its end.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace unroll::autograd {

/// Like a std::vector, but a new record is not initialised: it is filled in where it lies. Assembled
/// elsewhere and copied, or zeroed first, wide loads would wait for the narrow stores before them. References
/// are valid until the next add(); memory is kept until the end.
template <class T>
class Table {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  /// The new last one, with undefined contents.
  T& add() {
    if (size_ == capacity_) [[unlikely]]
      grow();
    return records_.get()[size_++];
  }
  /// Makes it `count` records of zero bytes.
  void assign_zeros(std::size_t count) {
    size_ = 0;
    while (capacity_ < count) grow();
    size_ = count;
    if (count > 0) std::memset(static_cast<void*>(records_.get()), 0, count * sizeof(T));
  }
  /// Takes back all but the first `count`.
  void shrink(std::size_t count) { size_ = count; }
  void clear() { size_ = 0; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return records_.get(); }
  const T* data() const { return records_.get(); }
  T& operator[](std::size_t i) { return records_.get()[i]; }
  const T& operator[](std::size_t i) const { return records_.get()[i]; }
  T& back() { return records_.get()[size_ - 1]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

 private:
  static constexpr std::align_val_t kAlignment{std::max<std::size_t>(alignof(T), 64)};
  struct Free {
    void operator()(T* records) const { ::operator delete(static_cast<void*>(records), kAlignment); }
  };
  void grow() {
    capacity_ = std::max<std::size_t>(64, 2 * capacity_);
    std::unique_ptr<T, Free> larger(static_cast<T*>(::operator new(capacity_ * sizeof(T), kAlignment)));
    if (size_ > 0) std::memcpy(static_cast<void*>(larger.get()), records_.get(), size_ * sizeof(T));
    records_ = std::move(larger);
  }

  std::unique_ptr<T, Free> records_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace unroll::autograd
