#include "autograd/inspect/figures/summary.h"

#include <algorithm>
#include <cmath>

namespace unroll::inspect {

using autograd::Index;
using autograd::Tape;
using autograd::Value;
using autograd::View;

namespace {

// As many sums side by side as fill the registers of any processor.
constexpr std::size_t kLanes = 16;

struct Sums {
  double squares[kLanes] = {}, absolute[kLanes] = {}, largest[kLanes] = {}, zeros[kLanes] = {};

  void add(double x, std::size_t lane) {
    const double a = std::abs(x);
    squares[lane] += x * x;
    absolute[lane] += a;
    largest[lane] = a > largest[lane] ? a : largest[lane];
    zeros[lane] += a == 0 ? 1.0 : 0.0;
  }
  // Halves are put together, lane by lane: a small state is not to wait for one lane after the other.
  Summary over(Index count) {
    if (count == 0) return {};
    for (std::size_t half = kLanes / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) {
        squares[l] += squares[l + half];
        absolute[l] += absolute[l + half];
        largest[l] = std::max(largest[l], largest[l + half]);
        zeros[l] += zeros[l + half];
      }
    const auto n = static_cast<double>(count);
    return {.norm = std::sqrt(squares[0]),
            .mean = absolute[0] / n,
            .largest = std::isnan(absolute[0]) ? absolute[0] : largest[0],
            .zeros = zeros[0] / n};
  }
};

// The sums are a copy of their own, so that they can stay in registers.
template <class T>
Sums added(Sums sums, const T* x, Index count) {
  const auto n = static_cast<std::size_t>(count);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t l = 0; l < kLanes; ++l) sums.add(static_cast<double>(x[i + l]), l);
  for (std::size_t l = 0; i < n; ++i, ++l) sums.add(static_cast<double>(x[i]), l);
  return sums;
}

template <class T>
Summary summary_of(const View<const T>& x) {
  Sums sums;
  if (x.contiguous())
    sums = added(sums, x.data, x.size());
  else
    for (Index r = 0; r < x.rows(); ++r) sums = added(sums, x.row(r), x.cols());
  return sums.over(x.size());
}

}  // namespace

Summary summary_of(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  return autograd::dispatch(tape.dtype(), [&]<class T>() {
    return summary_of(View<const T>{reinterpret_cast<const T*>(v.data), v.shape, v.stride});
  });
}

Summary summary_of_gradient(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  if (!tape.walk().gradient(v.buffer).memory) return {};
  return autograd::dispatch(tape.dtype(), [&]<class T>() {
    return summary_of(
        View<const T>{reinterpret_cast<const T*>(tape.walk().gradient_of(v)), v.shape, v.stride});
  });
}

Summary summary_of(const autograd::Tensor& tensor) {
  return autograd::dispatch(tensor.dtype(), [&]<class T>() { return summary_of(tensor.view<T>()); });
}

}  // namespace unroll::inspect
