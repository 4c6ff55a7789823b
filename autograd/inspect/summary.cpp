#include "autograd/inspect/summary.h"

#include <algorithm>
#include <cmath>

namespace unroll::inspect {

using autograd::Index;
using autograd::Tape;
using autograd::Value;
using autograd::View;

namespace {

// As many sums side by side as fill the registers of any processor.
constexpr Index kLanes = 16;

class Sums {
 public:
  template <class T>
  void add(const T* x, Index count) {
    Index i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (Index l = 0; l < kLanes; ++l) add(static_cast<double>(x[i + l]), l);
    for (Index l = 0; i < count; ++i, ++l) add(static_cast<double>(x[i]), l);
    count_ += count;
  }
  Summary summary() const {
    Summary s;
    if (count_ == 0) return s;
    double zeros = 0;
    for (Index l = 0; l < kLanes; ++l) {
      s.norm += squares_[l];
      s.mean += absolute_[l];
      s.largest = std::max(s.largest, largest_[l]);
      zeros += zeros_[l];
    }
    if (std::isnan(s.mean)) s.largest = s.mean;
    s.norm = std::sqrt(s.norm);
    s.mean /= static_cast<double>(count_);
    s.zeros = zeros / static_cast<double>(count_);
    return s;
  }

 private:
  void add(double x, Index lane) {
    const double a = std::abs(x);
    squares_[lane] += x * x;
    absolute_[lane] += a;
    largest_[lane] = a > largest_[lane] ? a : largest_[lane];
    zeros_[lane] += a == 0 ? 1.0 : 0.0;
  }
  double squares_[kLanes] = {}, absolute_[kLanes] = {}, largest_[kLanes] = {}, zeros_[kLanes] = {};
  Index count_ = 0;
};

template <class T>
Summary summary_of(const View<const T>& x) {
  Sums sums;
  if (x.contiguous())
    sums.add(x.data, x.size());
  else
    for (Index r = 0; r < x.rows(); ++r) sums.add(x.row(r), x.cols());
  return sums.summary();
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
  if (!tape.root(v).gradient) return {};
  return autograd::dispatch(tape.dtype(), [&]<class T>() {
    return summary_of(View<const T>{reinterpret_cast<const T*>(tape.gradient_of(v)), v.shape, v.stride});
  });
}

Summary summary_of(const autograd::Tensor& tensor) {
  return autograd::dispatch(tensor.dtype(), [&]<class T>() { return summary_of(tensor.view<T>()); });
}

}  // namespace unroll::inspect
