// Labels, indices and the like, as an argument.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <variant>

namespace unroll::ops {

/// Whole numbers of 32 or 64 bits that somebody else holds for the length of a call: {0, 2}, a vector, a
/// span.
class Integers {
 public:
  Integers() = default;
  Integers(std::initializer_list<int> values) : values_(std::span(values.begin(), values.size())) {}
  Integers(const int* values, std::size_t count) : values_(std::span(values, count)) {}
  template <class R>
  requires(std::convertible_to<const R&, std::span<const int>>) Integers(const R& values)
      : values_(std::span<const int>(values)) {}
  template <class R>
  requires(std::convertible_to<const R&, std::span<const std::int64_t>>) Integers(const R& values)
      : values_(std::span<const std::int64_t>(values)) {}

  std::size_t size() const {
    return std::visit([](auto s) { return s.size(); }, values_);
  }
  std::int64_t operator[](std::size_t i) const {
    return std::visit([i](auto s) { return std::int64_t{s[i]}; }, values_);
  }

 private:
  std::variant<std::span<const int>, std::span<const std::int64_t>> values_;
};

}  // namespace unroll::ops

namespace unroll {
using ops::Integers;
}
