#include "autograd/inspect/figures/singular_value.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "nn/initialise.h"
#include "tests/nn/random_numbers.h"

using namespace unroll;
using inspect::largest_singular_value;

namespace {
double norm_of(const std::vector<double>& a, Index rows, Index cols, double tolerance = 1e-12) {
  const double norm = largest_singular_value(a, rows, cols);
  std::vector<double> transposed(a.size());
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      transposed[static_cast<std::size_t>(c * rows + r)] = a[static_cast<std::size_t>(r * cols + c)];
  CHECK(largest_singular_value(transposed, cols, rows) == doctest::Approx(norm).epsilon(tolerance));
  return norm;
}
}  // namespace

TEST_CASE("the largest singular value of matrices of which it is known") {
  CHECK(norm_of({3, 4}, 1, 2) == doctest::Approx(5).epsilon(1e-13));
  CHECK(norm_of({1, 1, 0, 1}, 2, 2) == doctest::Approx((1 + std::sqrt(5)) / 2).epsilon(1e-13));
  CHECK(norm_of({0, 0, 0, 0, 0, 0}, 2, 3) == 0);
  CHECK(norm_of({0, 2e-200, 1e-200, 0}, 2, 2) == doctest::Approx(2e-200).epsilon(1e-13));
  CHECK(norm_of({0, 2e200, 1e200, 0}, 2, 2) == doctest::Approx(2e200).epsilon(1e-13));
  CHECK(std::isnan(largest_singular_value(std::vector<double>{1, std::nan(""), 0, 1}, 2, 2)));
}

TEST_CASE("the largest singular value between two random rotations") {
  constexpr Index kSize = 60;
  Generator generator(1);
  for (const double gap : {1.0, 1e-3, 1e-9, 0.0}) {
    Parameter left("left", {kSize, kSize}, f64), right("right", {kSize, kSize}, f64);
    initialise::orthogonal(left, generator);
    initialise::orthogonal(right, generator);
    std::vector<double> a(kSize * kSize);
    for (Index k = 0; k < kSize; ++k) {
      const double value = k == 0 ? 3 : (3 - gap) / static_cast<double>(k);
      for (Index i = 0; i < kSize; ++i)
        for (Index j = 0; j < kSize; ++j)
          a[static_cast<std::size_t>(i * kSize + j)] +=
              left.value().at(i * kSize + k) * value * right.value().at(j * kSize + k);
    }
    const double tolerance = gap > 0 && gap < 1e-6 ? gap : 1e-12;
    CHECK(norm_of(a, kSize, kSize, tolerance) == doctest::Approx(3).epsilon(tolerance));
  }
}
