#include "nn/gradients.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/simd/sums.h"

namespace unroll::nn {

namespace {

using Entry = Gradients::Entry;

template <class T>
std::span<T> row_of(std::span<T> values, const Shape& shape, int row) {
  const auto cols = static_cast<std::size_t>(shape.cols());
  return values.subspan(static_cast<std::size_t>(row) * cols, cols);
}

// Calls f with each run of defined values: the whole buffer, or each touched row.
template <class AnyEntry, class F>
void each_run(AnyEntry& entry, F f) {
  autograd::dispatch(entry.buffer().dtype(), [&]<class T>() {
    const auto values = entry.buffer().template span<T>();
    if (entry.state() == Entry::State::dense) return f(values);
    for (const int r : entry.rows()) f(row_of(values, entry.buffer().shape(), r));
  });
}

void check_limit(const char* op, double limit, SourceLocation location) {
  if (!(limit > 0))
    autograd::fail(op, fmt::format("a limit of {} came; needed more than 0", limit), location);
}

}  // namespace

double global_norm(const Gradients& gradients) {
  double sum = 0;
  gradients.each(
      [&](const Entry& entry) { each_run(entry, [&](auto run) { sum += ops::sum_of_squares(run); }); });
  return std::sqrt(sum);
}

double clip_by_global_norm(Gradients& gradients, double limit, SourceLocation location) {
  check_limit("clip_by_global_norm", limit, location);
  const double norm = global_norm(gradients);
  if (std::isfinite(norm) && norm > limit) scale_gradients(gradients, limit / norm);
  return norm;
}

void clip_by_value(Gradients& gradients, double limit, SourceLocation location) {
  check_limit("clip_by_value", limit, location);
  gradients.each([&](Entry& entry) { each_run(entry, [&](auto run) { ops::limit(run, limit); }); });
}

void scale_gradients(Gradients& gradients, double factor) {
  gradients.each([&](Entry& entry) { each_run(entry, [&](auto run) { ops::scale(run, factor); }); });
}

void accumulate(Gradients& into, const Gradients& from) {
  from.each([&](const Entry& source) {
    const Tensor& addend = source.buffer();
    Entry& target = into.of(source.parameter().shared_from_this(), addend.dtype());
    autograd::dispatch(addend.dtype(), [&]<class T>() {
      const auto values = addend.span<T>();
      const auto sums = target.buffer().template span<T>();
      if (source.state() == Entry::State::rows) {
        for (const int r : source.rows()) {
          target.touch_row(r);
          ops::accumulate(row_of(values, addend.shape(), r), row_of(sums, addend.shape(), r));
        }
      } else if (target.touch_all()) {
        std::ranges::copy(values, sums.begin());
      } else {
        ops::accumulate(values, sums);
      }
    });
  });
}

}  // namespace unroll::nn
