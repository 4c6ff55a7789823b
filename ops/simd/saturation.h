// The third numbers that pointwise lambdas are called with, beside packs and duals: they note how often a
// gate is near one of its ends. Slow next to the others, of f64 alone, and compiled here once for all.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "autograd/op.h"
#include "ops/simd/functions.h"

namespace unroll::ops {

class SaturationCounter;

namespace scalar {

struct Watched;
template <>
struct is_scalar<Watched> : std::true_type {};

struct WatchedMask {
  std::uint32_t v;  // a bit each
  friend WatchedMask operator&(WatchedMask a, WatchedMask b) { return {a.v & b.v}; }
  friend WatchedMask operator|(WatchedMask a, WatchedMask b) { return {a.v | b.v}; }
  friend WatchedMask operator!(WatchedMask a) { return {~a.v}; }
  template <std::same_as<bool> B>
  explicit operator B() const {
    return detail::refuse<double>() != 0;
  }
};

/// Numbers of neighbouring elements. Functions with ends take a name for what they give, as they do for all
/// other numbers (ops/simd/functions.h).
struct Watched {
  static constexpr int lanes = 32;
  std::array<double, lanes> v;
  unsigned operands;      // bit i: it depends on operand i
  SaturationCounter* by;  // nullptr for constants

  Watched() = default;
  explicit Watched(double constant) : operands(0), by(nullptr) { v.fill(constant); }

  friend Watched operator+(const Watched& a, const Watched& b);
  friend Watched operator-(const Watched& a, const Watched& b);
  friend Watched operator*(const Watched& a, const Watched& b);
  friend Watched operator/(const Watched& a, const Watched& b);
  friend Watched operator-(const Watched& x);
  friend WatchedMask operator<(const Watched& a, const Watched& b);
  friend WatchedMask operator<=(const Watched& a, const Watched& b);
  friend WatchedMask operator>(const Watched& a, const Watched& b) { return b < a; }
  friend WatchedMask operator>=(const Watched& a, const Watched& b) { return b <= a; }
  friend WatchedMask is_nan(const Watched& x);
  friend Watched select(WatchedMask m, const Watched& a, const Watched& b);
  friend Watched exp(const Watched& x);
  friend Watched expm1(const Watched& x);
  friend Watched log(const Watched& x);
  friend Watched log1p(const Watched& x);
  friend Watched sqrt(const Watched& x);
  friend Watched sin(const Watched& x);
  friend Watched cos(const Watched& x);
  friend Watched erf(const Watched& x);
  friend Watched normal_cdf(const Watched& x);
  friend Watched abs(const Watched& x);
  friend Watched pow(const Watched& x, const Watched& y);
  friend Watched tanh(const Watched& x, const char* name);
  friend Watched sigmoid(const Watched& x, const char* name);
  friend Watched relu(const Watched& x, const char* name);
  friend Watched tanh(const Watched& x) { return tanh(x, nullptr); }
  friend Watched sigmoid(const Watched& x) { return sigmoid(x, nullptr); }
  friend Watched relu(const Watched& x) { return relu(x, nullptr); }
  template <std::same_as<double> D>
  operator D() const {
    return detail::refuse<D>();
  }
};

template <Operand A, Operand B>
requires(std::same_as<A, Watched> || std::same_as<B, Watched> || (Constant<A> && Constant<B>)) Watched
    select(WatchedMask m, const A& a, const B& b) {
  return select(m, Watched(a), Watched(b));
}
template <Constant C>
Watched pow(const Watched& x, C exponent) {
  return pow(x, Watched(static_cast<double>(exponent)));
}

}  // namespace scalar

/// The calls of one node's lambda on a sample of its elements.
class SaturationCounter {
 public:
  /// About `most` elements, in runs of neighbours spread evenly over the outputs of the node, at other places
  /// for other nodes. What is seen is added to `found`, in the order of the lambda's calls.
  SaturationCounter(const autograd::Tape& tape, const autograd::Node& node, Index most,
                    std::vector<autograd::Saturation>& found);
  /// Goes to the next run; false after the last.
  bool next();
  /// An operand there.
  scalar::Watched operand(int i);
  /// What a function with ends gave of these operands: the values near its lower end, and near the upper
  /// one.
  void note(const char* function, const char* name, unsigned operands, scalar::WatchedMask low,
            scalar::WatchedMask high);

 private:
  const autograd::Tape& tape_;
  const autograd::Node& node_;
  std::vector<autograd::Saturation>& found_;
  const std::size_t first_;  // of `found_` that is ours
  std::size_t call_ = 0;     // of note() in this run
  Index rows_, cols_;        // of the outputs
  Index run_, step_, runs_;  // in the order of rows
  Index row_ = 0, col_ = 0, count_ = 0;
};

}  // namespace unroll::ops
