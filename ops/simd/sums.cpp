// Plain loops that the compiler vectorises: all but the sum are bound by memory.
#include "ops/simd/sums.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace unroll::ops {

namespace {

// Several sums side by side, so that additions need not wait for each other.
template <class T>
double squares(std::span<const T> x) {
  constexpr std::size_t kSums = 16;
  std::array<double, kSums> sums{};
  const std::size_t whole = x.size() / kSums * kSums;
  for (std::size_t i = 0; i < whole; i += kSums)
    for (std::size_t k = 0; k < kSums; ++k)
      sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  for (std::size_t i = whole; i < x.size(); ++i)
    sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}
template <class T>
void scale_all(std::span<T> x, T factor) {
  for (T& v : x) v *= factor;
}
template <class T>
void limit_all(std::span<T> x, T limit) {
  for (T& v : x) v = v > limit ? limit : v < -limit ? -limit : v;
}
template <class T>
void accumulate_all(std::span<const T> from, std::span<T> into) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] += from[i];
}

}  // namespace

double sum_of_squares(std::span<const float> x) { return squares(x); }
double sum_of_squares(std::span<const double> x) { return squares(x); }
void scale(std::span<float> x, double factor) { scale_all(x, static_cast<float>(factor)); }
void scale(std::span<double> x, double factor) { scale_all(x, factor); }
void limit(std::span<float> x, double limit) { limit_all(x, static_cast<float>(limit)); }
void limit(std::span<double> x, double limit) { limit_all(x, limit); }
void accumulate(std::span<const float> from, std::span<float> into) { accumulate_all(from, into); }
void accumulate(std::span<const double> from, std::span<double> into) { accumulate_all(from, into); }

}  // namespace unroll::ops
