#include "ops/simd/saturation.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace unroll::ops {

namespace scalar {

namespace {

using P = Pack<double>;
static_assert(Watched::lanes % P::lanes == 0);

template <class F, class... X>
Watched map(F f, const X&... x) {
  Watched y;
  y.operands = (x.operands | ...);
  y.by = nullptr;
  ((y.by = x.by ? x.by : y.by), ...);
  for (std::size_t i = 0; i < y.v.size(); i += P::lanes) f(P::load(&x.v[i])...).store(&y.v[i]);
  return y;
}
template <class F>
WatchedMask location(F f) {
  WatchedMask m{0};
  for (std::size_t i = 0; i < Watched::lanes; ++i) m.v |= static_cast<std::uint32_t>(f(i)) << i;
  return m;
}
// Near the lower end up to `low`, near the upper one from `high` on; NaN for an end that is not there.
const Watched& noted(const Watched& y, const char* function, const char* name, double low, double high) {
  if (y.by) y.by->note(function, name, y.operands, y <= low, y >= high);
  return y;
}

}  // namespace

Watched operator+(const Watched& a, const Watched& b) {
  return map([](P x, P y) { return x + y; }, a, b);
}
Watched operator-(const Watched& a, const Watched& b) {
  return map([](P x, P y) { return x - y; }, a, b);
}
Watched operator*(const Watched& a, const Watched& b) {
  return map([](P x, P y) { return x * y; }, a, b);
}
Watched operator/(const Watched& a, const Watched& b) {
  return map([](P x, P y) { return x / y; }, a, b);
}
Watched operator-(const Watched& x) {
  return map([](P p) { return -p; }, x);
}
WatchedMask operator<(const Watched& a, const Watched& b) {
  return location([&](std::size_t i) { return a.v[i] < b.v[i]; });
}
WatchedMask operator<=(const Watched& a, const Watched& b) {
  return location([&](std::size_t i) { return a.v[i] <= b.v[i]; });
}
WatchedMask is_nan(const Watched& x) {
  return location([&](std::size_t i) { return x.v[i] != x.v[i]; });
}
Watched select(WatchedMask m, const Watched& a, const Watched& b) {
  Watched y = map([](P x, P) { return x; }, b, a);
  for (std::size_t i = 0; i < y.v.size(); ++i)
    if (m.v >> i & 1) y.v[i] = a.v[i];
  return y;
}
Watched exp(const Watched& x) {
  return map([](P p) { return exp(p); }, x);
}
Watched expm1(const Watched& x) {
  return map([](P p) { return expm1(p); }, x);
}
Watched log(const Watched& x) {
  return map([](P p) { return log(p); }, x);
}
Watched log1p(const Watched& x) {
  return map([](P p) { return log1p(p); }, x);
}
Watched sqrt(const Watched& x) {
  return map([](P p) { return sqrt(p); }, x);
}
Watched sin(const Watched& x) {
  return map([](P p) { return sin(p); }, x);
}
Watched cos(const Watched& x) {
  return map([](P p) { return cos(p); }, x);
}
Watched erf(const Watched& x) {
  return map([](P p) { return erf(p); }, x);
}
Watched normal_cdf(const Watched& x) {
  return map([](P p) { return normal_cdf(p); }, x);
}
Watched abs(const Watched& x) {
  return map([](P p) { return abs(p); }, x);
}
Watched pow(const Watched& x, const Watched& y) {
  return map([](P p, P q) { return pow(p, q); }, x, y);
}
Watched tanh(const Watched& x, const char* name) {
  return noted(map([](P p) { return tanh(p); }, x), "tanh", name, -0.9, 0.9);
}
Watched sigmoid(const Watched& x, const char* name) {
  return noted(map([](P p) { return sigmoid(p); }, x), "sigmoid", name, 0.1, 0.9);
}
Watched relu(const Watched& x, const char* name) {
  return noted(select(x <= 0.0, Watched(0.0), x), "relu", name, 0, std::nan(""));
}

}  // namespace scalar

using scalar::Watched;
using scalar::WatchedMask;

SaturationCounter::SaturationCounter(const autograd::Tape& tape, const autograd::Node& node, Index most,
                                     std::vector<autograd::Saturation>& found)
    : tape_(tape), node_(node), found_(found), first_(found.size()) {
  const autograd::Shape& shape = tape.value(node.first_output).shape;
  rows_ = shape.rows();
  cols_ = shape.cols();
  runs_ = rows_ * ((cols_ + Watched::lanes - 1) / Watched::lanes);
  const Index wanted = std::max<Index>(1, most / std::clamp<Index>(cols_, 1, Watched::lanes));
  step_ = std::max<Index>(1, runs_ / wanted);
  run_ = (&node - tape.nodes().data()) % step_ - step_;
}

bool SaturationCounter::next() {
  run_ += step_;
  if (run_ >= runs_) return false;
  const Index in_row = runs_ / rows_;
  row_ = run_ / in_row;
  col_ = run_ % in_row * Watched::lanes;
  count_ = std::min<Index>(Watched::lanes, cols_ - col_);
  call_ = first_;
  return true;
}

// The lanes beyond the run repeat its last number.
Watched SaturationCounter::operand(int i) {
  const autograd::Value& v = tape_.value(node_.inputs[i]);
  const bool full = v.shape.size() == rows_ * cols_;
  const Index row = full || v.shape.rows() == rows_ ? row_ : 0;
  const bool splat = !full && v.shape.cols() == 1;
  Watched x;
  x.operands = 1u << i;
  x.by = this;
  autograd::dispatch(tape_.dtype(), [&]<class T>() {
    const T* from = reinterpret_cast<const T*>(v.data) + row * v.stride + (splat ? 0 : col_);
    if (!splat && count_ == Watched::lanes) {
      for (std::size_t l = 0; l < Watched::lanes; ++l) x.v[l] = static_cast<double>(from[l]);
      return;
    }
    const Index last = splat ? 0 : count_ - 1;
    for (Index l = 0; l < Watched::lanes; ++l)
      x.v[static_cast<std::size_t>(l)] = static_cast<double>(from[std::min(l, last)]);
  });
  return x;
}

void SaturationCounter::note(const char* function, const char* name, unsigned operands, WatchedMask low,
                             WatchedMask high) {
  if (call_ == found_.size()) found_.push_back({function, name, operands, 0, 0, 0});
  autograd::Saturation& s = found_[call_++];
  const std::uint32_t in_run = count_ < Watched::lanes ? (1u << count_) - 1 : ~0u;
  s.count += count_;
  s.low += std::popcount(low.v & in_run);
  s.high += std::popcount(high.v & in_run);
}

}  // namespace unroll::ops
