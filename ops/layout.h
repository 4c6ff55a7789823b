// How a batch of sequences of unequal length lies in memory.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "autograd/system/error.h"
#include "autograd/tensor/dtype.h"

namespace unroll::autograd {
class Pass;
}

namespace unroll::ops {

using autograd::Index;

/// Packed rows: no padding, the sum of all lengths in number. Sequences are sorted by length, longest first
/// (equal lengths keep their order); rows are time-major, and step t holds one row for each sequence that is
/// still alive, so that those alive at t + 1 are a prefix of those alive at t.
///
///   lengths {2, 4, 1}  ->  rows  b1 b0 b2 | b1 b0 | b1 | b1
///
/// "Sequence" numbers are the caller's; "rank" is the position after sorting. It never changes, and copies
/// share it.
class Layout {
  struct Lines {
    std::vector<int> lengths;    // by sequence
    std::vector<int> ranks;      // by sequence
    std::vector<int> sequences;  // by rank
    std::vector<Index> offsets{0};
    bool sorted = true;
  };

 public:
  Layout() = default;
  /// Throws Error for an empty batch, a length below 1, or more than 2^31 - 1 rows.
  explicit Layout(std::span<const int> lengths, SourceLocation location = SourceLocation::current());
  /// Layout({4, 2, 3})
  explicit Layout(std::initializer_list<int> lengths, SourceLocation location = SourceLocation::current())
      : Layout(std::span(lengths.begin(), lengths.size()), location) {}
  /// `batch` sequences of `steps` each: the packed rows are [steps, batch].
  static Layout uniform(Index batch, Index steps, SourceLocation location = SourceLocation::current());

  Index batch() const { return static_cast<Index>(lines_->lengths.size()); }
  /// The longest length.
  Index steps() const { return static_cast<Index>(lines_->offsets.size()) - 1; }
  /// The sum of all lengths.
  Index rows() const { return lines_->offsets.back(); }
  /// Sequences that have a step t; 0 for t = steps().
  Index batch_size(Index t) const { return t < steps() ? offset(t + 1) - offset(t) : 0; }
  /// The first packed row of step t.
  Index offset(Index t) const { return lines_->offsets[static_cast<std::size_t>(t)]; }

  Index length(Index sequence) const { return lines_->lengths[static_cast<std::size_t>(sequence)]; }
  /// Where step t of a sequence lies.
  Index row(Index sequence, Index t) const {
    return offset(t) + lines_->ranks[static_cast<std::size_t>(sequence)];
  }
  /// ranks()[sequence]; and the inverse, sequences()[rank].
  std::span<const int> ranks() const { return lines_->ranks; }
  std::span<const int> sequences() const { return lines_->sequences; }
  /// True if sorting changes nothing.
  bool sorted() const { return lines_->sorted; }

  /// For what is needed until backward, when this may have gone: a handle, good until the tape is cleared.
  class Kept;
  Kept kept_by(autograd::Pass& pass) const;

  /// Puts the items of each sequence, given one after the other in the caller's order, into packed order.
  /// Each is of as many values as there are features. Throws Error unless there are rows() of them.
  template <class T>
  std::vector<T> pack(std::span<const T> items, SourceLocation location = SourceLocation::current()) const {
    return pack(items, 1, location);
  }
  template <class T>
  std::vector<T> pack(std::span<const T> items, Index features,
                      SourceLocation location = SourceLocation::current()) const {
    return moved(items, features, location,
                 [](Index given, Index packed) { return std::pair(given, packed); });
  }
  /// The other way.
  template <class T>
  std::vector<T> unpack(std::span<const T> packed, Index features = 1,
                        SourceLocation location = SourceLocation::current()) const {
    return moved(packed, features, location, [](Index given, Index row) { return std::pair(row, given); });
  }

 private:
  // way(item in the caller's order, packed row) is from where to where.
  template <class T, class Way>
  std::vector<T> moved(std::span<const T> items, Index features, SourceLocation location, Way way) const {
    check_items(items.size(), features, location);
    std::vector<T> result(items.size());
    Index next = 0;
    for (Index s = 0; s < batch(); ++s)
      for (Index t = 0; t < length(s); ++t) {
        const auto [from, to] = way(next++, row(s, t));
        std::copy_n(items.begin() + from * features, features, result.begin() + to * features);
      }
    return result;
  }
  void check_items(std::size_t count, Index features, SourceLocation location) const;

  explicit Layout(std::shared_ptr<const Lines> lines) : lines_(std::move(lines)) {}
  static const std::shared_ptr<const Lines>& none();
  std::shared_ptr<const Lines> lines_ = none();
};

class Layout::Kept {
 public:
  Layout operator*() const { return Layout(std::shared_ptr<const Lines>(std::shared_ptr<void>(), lines_)); }

 private:
  friend class Layout;
  explicit Kept(const Lines* lines) : lines_(lines) {}
  const Lines* lines_;
};

}  // namespace unroll::ops

namespace unroll {
using ops::Layout;
}
