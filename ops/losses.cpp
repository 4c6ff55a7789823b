#include "ops/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/simd/softmax_rows.h"

namespace unroll::ops {

namespace {

// f by element, added up and averaged.
template <class F>
Var elementwise_loss(Label label, Var x, Var target, Over over, F f) {
  const Shape shape = x.shape(label.location);
  if (target.shape(label.location) != shape)
    autograd::fail(label.name,
                   fmt::format("predictions of shape {} and targets of shape {} came; needed equal shapes",
                               to_string(shape), to_string(target.shape(label.location))),
                   label.location);
  const Index count = over == Over::rows ? shape.rows() : shape.size();
  const Var total = sum(pointwise(label, f, x, target), label.location);
  return multiply(total, 1 / static_cast<double>(std::max<Index>(count, 1)), label.location);
}

template <class T>
std::vector<int> argmax(View<const T> x) {
  std::vector<int> result;
  result.reserve(static_cast<std::size_t>(x.rows()));
  for (Index r = 0; r < x.rows(); ++r) {
    const T *begin = x.row(r), *end = begin + x.cols();
    const T* found = std::find(begin, end, row_max(begin, x.cols()));
    result.push_back(found == end ? 0 : static_cast<int>(found - begin));
  }
  return result;
}

}  // namespace

Var binary_cross_entropy(Var logits, Var targets, Over over, SourceLocation w) {
  // log(1 + exp(x)) - x t, with the large parts taken away by hand: x - x t for positive x.
  return elementwise_loss({"binary_cross_entropy", w}, logits, targets, over, [](auto x, auto t) {
    return select(x > 0.0, x * (1.0 - t), -x * t) + log1p(exp(select(x > 0.0, -x, x)));
  });
}
Var mean_squared_error(Var predictions, Var targets, Over over, SourceLocation w) {
  return elementwise_loss({"mean_squared_error", w}, predictions, targets, over,
                          [](auto x, auto t) { return square(x - t); });
}
Var absolute_error(Var predictions, Var targets, Over over, SourceLocation w) {
  return elementwise_loss({"absolute_error", w}, predictions, targets, over,
                          [](auto x, auto t) { return abs(x - t); });
}
Var huber(Var predictions, Var targets, double delta, Over over, SourceLocation w) {
  if (!(delta > 0)) autograd::fail("huber", fmt::format("a delta of {} came; needed more than 0", delta), w);
  return elementwise_loss({"huber", w}, predictions, targets, over, [delta](auto x, auto t) {
    const auto r = abs(x - t);
    return select(r <= delta, r * r * 0.5, (r - 0.5 * delta) * delta);
  });
}

std::vector<int> argmax_rows(View<const float> x) { return argmax(x); }
std::vector<int> argmax_rows(View<const double> x) { return argmax(x); }
std::vector<int> argmax_rows(Var x, SourceLocation location) {
  return autograd::dispatch(x.tape(location).dtype(), [&]<class T>() { return argmax(x.view<T>(location)); });
}

double perplexity(double mean_loss) { return std::exp(mean_loss); }
double bits_per_character(double mean_loss) { return mean_loss / std::numbers::ln2; }

}  // namespace unroll::ops
