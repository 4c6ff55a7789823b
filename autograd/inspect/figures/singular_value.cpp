#include "autograd/inspect/figures/singular_value.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace unroll::inspect {

namespace {

using Vector = std::vector<double>;

double dot(const Vector& x, const Vector& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}
void add(Vector& y, double factor, const Vector& x) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += factor * x[i];
}

// The largest eigenvalue of a symmetric tridiagonal matrix, by bisection: the number of negative pivots of
// T - x is that of the eigenvalues below x.
double largest_eigenvalue(const Vector& diagonal, const Vector& beside) {
  double high = 0;
  for (std::size_t i = 0; i < diagonal.size(); ++i)
    high =
        std::max(high, diagonal[i] + (i > 0 ? beside[i - 1] : 0) + (i + 1 < diagonal.size() ? beside[i] : 0));
  double low = 0;
  for (int halvings = 0; halvings < 60; ++halvings) {
    const double x = 0.5 * (low + high);
    double pivot = 1;
    bool all_below = true;
    for (std::size_t i = 0; i < diagonal.size() && all_below; ++i) {
      pivot = diagonal[i] - x - (i > 0 ? beside[i - 1] * beside[i - 1] / pivot : 0);
      all_below = pivot < 0;
    }
    (all_below ? high : low) = x;
  }
  return high;
}

}  // namespace

double largest_singular_value(std::span<const double> a, autograd::Index rows, autograd::Index cols) {
  const auto m = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(cols);
  if (m == 0 || n == 0) return 0;
  double scale = 0;
  for (const double x : a) {
    if (!std::isfinite(x)) return std::nan("");
    scale = std::max(scale, std::abs(x));
  }
  if (scale == 0) return 0;

  auto times = [&](const Vector& x) {  // a'a x / scale^2
    Vector y(n);
    for (std::size_t r = 0; r < m; ++r) {
      const double* row = a.data() + r * n;
      double sum = 0;
      for (std::size_t c = 0; c < n; ++c) sum += row[c] / scale * x[c];
      for (std::size_t c = 0; c < n; ++c) y[c] += row[c] / scale * sum;
    }
    return y;
  };
  // Some direction that is no matrix's own.
  Vector start(n);
  for (std::size_t i = 0; i < n; ++i) start[i] = 1 + std::sin(static_cast<double>(i * i + 3 * i));
  std::vector<Vector> basis;
  Vector diagonal, beside;
  double eigenvalue = 0, length = std::sqrt(dot(start, start));
  while (basis.size() < n) {
    for (double& x : start) x /= length;
    basis.push_back(std::move(start));
    start = times(basis.back());
    diagonal.push_back(dot(start, basis.back()));
    for (int twice = 0; twice < 2; ++twice)
      for (const Vector& b : basis) add(start, -dot(start, b), b);
    length = std::sqrt(dot(start, start));
    const double before = eigenvalue;
    eigenvalue = largest_eigenvalue(diagonal, beside);
    const bool settled = basis.size() > 8 && eigenvalue - before <= 1e-13 * eigenvalue;
    if (settled || length <= 1e-14 * eigenvalue) break;
    beside.push_back(length);
  }
  return scale * std::sqrt(eigenvalue);
}

}  // namespace unroll::inspect
