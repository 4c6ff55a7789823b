#include "autograd/inspect/watch/jacobian.h"

#include <algorithm>

#include "autograd/inspect/figures/singular_value.h"

namespace unroll::inspect {

namespace {

constexpr double kVanished = 1e-3, kExploded = 1e3;

void put(std::vector<double>& column, std::size_t i, double x) {
  if (column.size() <= i) column.resize(i + 1, std::nan(""));
  column[i] = x;
}

}  // namespace

// The unit vectors, or random signs.
JacobianWalk::Matrices JacobianWalk::directions(Index sequences, Index width) {
  Matrices m(sequences, result_.exact ? width : options_.probes, width);
  for (Index s = 0; s < sequences; ++s)
    for (Index r = 0; r < m.rows; ++r)
      for (Index c = 0; c < width; ++c) m.row(s, r)[c] = result_.exact ? r == c : (random_() >> 63 ? 1 : -1);
  return m;
}

// Each row times the Jacobian of the step.
JacobianWalk::Matrices JacobianWalk::pulled(Tape& tape, const TakenStep& step, const Matrices& seeds) {
  Matrices result(seeds.sequences, seeds.rows, seeds.cols);
  std::vector<Tensor> by_field;
  for (const Var v : step.after) by_field.emplace_back(v.shape(), tape.dtype());
  autograd::dispatch(tape.dtype(), [&]<class T>() {
    for (Index r = 0; r < seeds.rows; ++r) {
      Index begin = 0;
      for (Tensor& field : by_field) {
        const auto to = field.view<T>();
        for (Index s = 0; s < seeds.sequences; ++s)
          std::copy_n(seeds.row(s, r) + begin, to.cols(), to.row(s));
        begin += to.cols();
      }
      begin = 0;
      for (const Tensor& slope : tape.pull_back(step.begin, step.end, step.after, by_field, step.before)) {
        const auto from = slope.view<T>();
        for (Index s = 0; s < seeds.sequences; ++s)
          std::copy_n(from.row(s), from.cols(), result.row(s, r) + begin);
        begin += from.cols();
      }
    }
  });
  return result;
}

JacobianWalk::Measured JacobianWalk::measure(const Matrices& m) const {
  const auto sequences = static_cast<double>(m.sequences), rows = static_cast<double>(m.rows);
  double sum = 0, variance = 0;
  for (Index s = 0; s < m.sequences; ++s) {
    const std::span all(m.row(s, 0), static_cast<std::size_t>(m.rows * m.cols));
    if (result_.exact) {
      const double largest = largest_singular_value(all, m.rows, m.cols);
      sum += largest * largest;
      continue;
    }
    double first = 0, second = 0;  // moments of |row|^2 / cols
    for (Index r = 0; r < m.rows; ++r) {
      double squares = 0;
      for (Index c = 0; c < m.cols; ++c) squares += m.row(s, r)[c] * m.row(s, r)[c];
      squares /= static_cast<double>(m.cols);
      first += squares;
      second += squares * squares;
    }
    sum += first / rows;
    variance += std::max(0.0, second / rows - first / rows * first / rows) / std::max(1.0, rows - 1);
  }
  const double size = std::sqrt(sum / sequences);
  return {size, size > 0 ? std::sqrt(variance) / sequences / (2 * size) : 0};
}

// The product may be beyond what a tape's dtype can hold.
void JacobianWalk::rescale() {
  double largest = 0;
  for (const double x : product_.numbers) largest = std::max(largest, std::abs(x));
  if (!(largest > 0) || !std::isfinite(largest)) return;
  for (double& x : product_.numbers) x /= largest;
  log_scale_ += std::log(largest);
}

void JacobianWalk::go_back(Tape& tape, const TakenStep& step) {
  Index width = 0;
  for (const Var v : step.after) width += v.cols();
  const Index sequences = std::min(step.after[0].rows(), options_.sequences);
  if (steps_ == 0) {
    result_.exact = width <= options_.exact;
    product_ = directions(sequences, width);
  }
  // In reverse order, sequences end one by one on the way.
  if (product_.sequences > sequences) {
    product_.sequences = sequences;
    product_.numbers.resize(static_cast<std::size_t>(sequences * product_.rows * product_.cols));
  }
  const Measured so_far = measure(product_);
  const double scale = std::exp(log_scale_);
  put(result_.product, step.time, so_far.size * scale);
  put(result_.product_error, step.time, so_far.error * scale);
  if (!result_.vanishes_after && so_far.size * scale < kVanished) result_.vanishes_after = steps_;
  if (!result_.explodes_after && so_far.size * scale > kExploded) result_.explodes_after = steps_;
  ++steps_;
  put(result_.norm, step.time, std::nan(""));
  put(result_.norm_error, step.time, std::nan(""));
  if (step.first) return;

  const Matrices jacobian = pulled(tape, step, directions(sequences, width));
  const Measured one = measure(jacobian);
  result_.norm[step.time] = one.size;
  result_.norm_error[step.time] = one.error;
  if (result_.exact) {
    Matrices product(product_.sequences, product_.rows, width);
    for (Index s = 0; s < product.sequences; ++s)
      for (Index r = 0; r < product.rows; ++r)
        for (Index k = 0; k < width; ++k) {
          const double factor = product_.row(s, r)[k];
          for (Index c = 0; c < width; ++c) product.row(s, r)[c] += factor * jacobian.row(s, k)[c];
        }
    product_ = std::move(product);
  } else {
    product_ = pulled(tape, step, product_);
  }
  rescale();
}

}  // namespace unroll::inspect
