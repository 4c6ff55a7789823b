#include "ops/simd/softmax_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/simd/long_sums.h"
#include "ops/simd/simd.h"

namespace unroll::ops {

namespace {

// The last elements of a row, filled up with `filler` to a whole pack.
template <class T>
Pack<T> load_tail(const T* x, Index n, T filler) {
  alignas(64) T lanes[static_cast<std::size_t>(Pack<T>::lanes)];
  std::fill_n(std::copy_n(x, n, lanes), Pack<T>::lanes - n, filler);
  return Pack<T>::load(lanes);
}

// f(f(filler, x[0]), x[1]) ...: four chains at once hide the latency of f. The lanes come back in one pack.
template <class T, class F>
Pack<T> fold(const T* x, Index n, T filler, F f) {
  constexpr Index lanes = Pack<T>::lanes;
  const Pack<T> start(static_cast<double>(filler));
  Pack<T> total[] = {start, start, start, start};
  Index i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (Index k = 0; k < 4; ++k) total[k] = f(total[k], Pack<T>::load(x + i + k * lanes));
  for (; i + lanes <= n; i += lanes) total[0] = f(total[0], Pack<T>::load(x + i));
  if (i < n) total[1] = f(total[1], load_tail(x + i, n - i, filler));
  return f(f(total[0], total[1]), f(total[2], total[3]));
}

template <class T>
T maximum(const T* x, Index n) {
  // The hardware's max returns its second operand if one is NaN.
  const Pack<T> lanes = fold(x, n, -std::numeric_limits<T>::infinity(),
                             [](Pack<T> most, Pack<T> v) { return select(v > most, v, most); });
  alignas(64) T part[static_cast<std::size_t>(Pack<T>::lanes)];
  lanes.store(part);
  return *std::max_element(part, part + Pack<T>::lanes);
}

template <class T>
T sum(const T* x, Index n) {
  return sum_of_runs<T>(n, [x](Index begin, Index count) {
    return fold(x + begin, count, T(0), [](Pack<T> a, Pack<T> b) { return a + b; }).sum();
  });
}

// Calls f(exp(x - shift), position, count) for a pack at a time and returns the sum of all. n <= kSumRun.
template <class T, class F>
T each_exp_of_run(const T* x, Index n, T shift, F f) {
  constexpr Index lanes = Pack<T>::lanes;
  const Pack<T> s(static_cast<double>(shift));
  Pack<T> even(0.0), odd(0.0);
  Index i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const Pack<T> a = exp(Pack<T>::load(x + i) - s), b = exp(Pack<T>::load(x + i + lanes) - s);
    even = even + a;
    odd = odd + b;
    f(a, i, lanes);
    f(b, i + lanes, lanes);
  }
  for (; i < n; i += lanes) {
    const Index count = std::min(lanes, n - i);
    const Pack<T> in = load_tail(x + i, count, -std::numeric_limits<T>::infinity());
    const Pack<T> a = exp(in - s);
    even = even + a;
    f(a, i, count);
  }
  return (even + odd).sum();
}

template <class T, class F>
T each_exp(const T* x, Index n, T shift, F f) {
  return sum_of_runs<T>(n, [&](Index begin, Index count) {
    return each_exp_of_run(x + begin, count, shift,
                           [&f, begin](const Pack<T>& e, Index i, Index lanes) { f(e, begin + i, lanes); });
  });
}

// What logsumexp is beyond an infinite maximum, which passes over NaN: NaN where there is one.
template <class T>
T beside_infinity(const T* x, Index n) {
  return std::any_of(x, x + n, [](T v) { return v != v; }) ? std::numeric_limits<T>::quiet_NaN() : T(0);
}

template <class T>
LogSumExp<T> logsumexp(const T* x, Index n) {
  const T most = maximum(x, n);
  if (!std::isfinite(most)) return {most, beside_infinity(x, n)};
  return {most, std::log(each_exp(x, n, most, [](const Pack<T>&, Index, Index) {}))};
}

template <class T>
LogSumExp<T> softmax(const T* in, T* out, Index n) {
  constexpr Index lanes = Pack<T>::lanes;
  const T most = maximum(in, n), beside = std::isfinite(most) ? T(0) : beside_infinity(in, n);
  const T total = each_exp(in, n, most, [out](const Pack<T>& e, Index i, Index count) {
    if (count == lanes) return e.store(out + i);
    alignas(64) T part[static_cast<std::size_t>(lanes)];
    e.store(part);
    std::copy_n(part, count, out + i);
  });
  const T factor = T(1) / total;
  const Pack<T> factors(static_cast<double>(factor));
  Index i = 0;
  for (; i + lanes <= n; i += lanes) (Pack<T>::load(out + i) * factors).store(out + i);
  for (; i < n; ++i) out[i] *= factor;
  return {most, std::isfinite(most) ? std::log(total) : beside};
}

}  // namespace

float row_max(const float* x, Index n) { return maximum(x, n); }
double row_max(const double* x, Index n) { return maximum(x, n); }
float row_sum(const float* x, Index n) { return sum(x, n); }
double row_sum(const double* x, Index n) { return sum(x, n); }
LogSumExp<float> row_logsumexp(const float* x, Index n) { return logsumexp(x, n); }
LogSumExp<double> row_logsumexp(const double* x, Index n) { return logsumexp(x, n); }
LogSumExp<float> softmax_row(const float* in, float* out, Index n) { return softmax(in, out, n); }
LogSumExp<double> softmax_row(const double* in, double* out, Index n) { return softmax(in, out, n); }

}  // namespace unroll::ops
