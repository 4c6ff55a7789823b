// Sums of many terms keep their digits: they are made in blocks, and the sums of blocks go into doubles.
#pragma once
#include <algorithm>
#include <optional>
#include <utility>

#include "autograd/memory/pool.h"

namespace unroll::ops {

using autograd::Index;

/// Up to so many terms are added up by a plain loop in the values' own type, which would be off by 1 % in
/// f32 after 2^20 equal terms.
inline constexpr Index kPlainSum = 1024;
/// Beyond, so many at a time.
inline constexpr Index kSumBlock = 128;
/// So many numbers of a row are added up in the lanes of packs before they become a term.
inline constexpr Index kSumRun = 4096;

/// Sums that lie in a row of memory, to which term after term is added by whoever has them. Takes scratch for
/// more terms than a plain sum has. On a dry tape (op.h) it takes that and nothing may be called.
template <class T>
class LongSums {
 public:
  LongSums() = default;
  LongSums(autograd::MemoryPool& pool, T* sums, Index size, Index terms) { begin(pool, sums, size, terms); }
  void begin(autograd::MemoryPool& pool, T* sums, Index size, Index terms) {
    if (terms <= kPlainSum) return;
    sums_ = sums;
    size_ = size;
    totals_.emplace(pool, size);
  }
  /// After each term.
  void next() {
    if (++terms_ % kSumBlock == 0) fold();
  }
  /// After each block of terms, of all sums or of a part.
  void fold() { fold(0, size_); }
  void fold(Index begin, Index count) {
    if (!totals_) return;
    double* totals = totals_->data();
    if (std::exchange(fresh_, false)) std::fill_n(totals, size_, 0.0);
    for (Index i = begin; i < begin + count; ++i) totals[i] += static_cast<double>(sums_[i]);
    std::fill_n(sums_ + begin, count, T(0));
  }
  /// After the last.
  void finish() {
    if (!totals_ || fresh_) return;
    const double* totals = totals_->data();
    for (Index i = 0; i < size_; ++i) sums_[i] = static_cast<T>(totals[i] + static_cast<double>(sums_[i]));
  }

 private:
  T* sums_ = nullptr;
  Index size_ = 0, terms_ = 0;
  bool fresh_ = true;
  std::optional<autograd::Scratch<double>> totals_;
};

/// The sum of f(begin, count) over runs of [0, n).
template <class T, class F>
[[gnu::always_inline]] inline T sum_of_runs(Index n, F f) {
  if (n <= kSumRun) return f(Index{0}, n);
  double total = 0;
  for (Index begin = 0; begin < n; begin += kSumRun)
    total += static_cast<double>(f(begin, std::min(kSumRun, n - begin)));
  return static_cast<T>(total);
}

}  // namespace unroll::ops
