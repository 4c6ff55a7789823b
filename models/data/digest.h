// A fingerprint of data, by which a run knows them again.
#pragma once
#include <bit>
#include <cstdint>
#include <ranges>
#include <type_traits>

namespace unroll::models {

/// 64 bits of numbers, and of ranges of them, of texts, of ranges: where one begins counts too. Not for those
/// who wish to deceive.
class Digest {
 public:
  template <class T>
  void add(const T& what) {
    if constexpr (std::is_floating_point_v<T>) {
      mix(std::bit_cast<std::uint64_t>(static_cast<double>(what)));
    } else if constexpr (std::is_integral_v<T>) {
      mix(static_cast<std::uint64_t>(what));
    } else {
      mix(std::ranges::size(what));
      for (const auto& part : what) add(part);
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  void mix(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15ULL;
    state_ ^= state_ >> 29;
  }
  std::uint64_t state_ = 0;
};

template <class... T>
std::uint64_t digest_of(const T&... data) {
  Digest digest;
  (digest.add(data), ...);
  return digest.value();
}

}  // namespace unroll::models
