// Random numbers with an explicit, savable state.
#pragma once
#include <cstdint>

#include "autograd/tensor/dtype.h"

namespace unroll::ops {

/// SplitMix64 (Steele, Lea and Flood 2014): 64 bits of state, equal streams on every machine.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0) : state_(seed) {}
  /// Its numbers are not wanted: what is first filled from it (nn/initialise.h) is left as it is. For a net
  /// whose parameters are to be loaded.
  static Generator unused() {
    Generator g;
    g.wanted_ = false;
    return g;
  }
  bool wanted() const { return wanted_; }

  std::uint64_t next() { return mix(state_ += kStep); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Mean 0, variance 1 (Box and Muller 1958; the second number is not kept).
  double normal();
  /// In [0, n), n > 0; the bias is below n / 2^64.
  std::uint64_t below(std::uint64_t n);
  /// A generator whose stream has nothing to do with this one's.
  Generator split() { return wanted_ ? Generator(next() ^ 0x5851F42D4C957F2DULL) : unused(); }

  /// The whole state: Generator(g.state()) goes on where g is.
  std::uint64_t state() const { return state_; }

 private:
  static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ULL;
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
  bool wanted_ = true;
};

}  // namespace unroll::ops

namespace unroll {
using ops::Generator;
}
