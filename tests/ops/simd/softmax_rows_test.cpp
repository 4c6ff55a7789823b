#include "ops/simd/softmax_rows.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/random.h"

using namespace unroll;

namespace {

template <class T>
void check_rows(double scale, double tolerance) {
  Generator generator(3);
  for (Index n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 65, 127, 1000}) {
    std::vector<T> x(static_cast<std::size_t>(n)), p(x.size());
    for (T& v : x) v = static_cast<T>(scale * generator.normal());
    long double most = x[0], sum = 0, plain = 0;
    for (T v : x) most = std::max<long double>(most, v), plain += v;
    for (T v : x) sum += std::exp(v - most);
    const double logsumexp = static_cast<double>(most + std::log(sum));
    CHECK(ops::row_max(x.data(), n) == static_cast<T>(most));
    CHECK(ops::row_sum(x.data(), n) == doctest::Approx(double(plain)).epsilon(100 * tolerance));
    CHECK(std::abs(ops::row_logsumexp(x.data(), n).sum() - logsumexp) <=
          tolerance * (1 + std::abs(logsumexp)));
    const T result = ops::softmax_row(x.data(), p.data(), n).sum();
    CHECK(std::abs(result - logsumexp) <= tolerance * (1 + std::abs(logsumexp)));
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::abs(p[i] - static_cast<double>(std::exp(x[i] - most) / sum)));
    CHECK(worst <= 2 * tolerance);
    ops::softmax_row(x.data(), x.data(), n);
    CHECK(x == p);
  }
}

template <class T>
void check_special() {
  const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (Index n : {1, 5, 16, 37}) {
    std::vector<T> x(static_cast<std::size_t>(n), -infinity);
    CHECK(ops::row_max(x.data(), n) == -infinity);
    CHECK(ops::row_logsumexp(x.data(), n).sum() == -infinity);
    x[0] = 2;
    CHECK(ops::row_logsumexp(x.data(), n).sum() == T(2));
    ops::softmax_row(x.data(), x.data(), n);
    CHECK(x[0] == T(1));
    CHECK((n == 1 || x.back() == T(0)));
    x.back() = nan;
    if (n == 1) continue;
    CHECK(ops::row_max(x.data(), n) == T(1));
    CHECK(std::isnan(ops::row_logsumexp(x.data(), n).sum()));
    ops::softmax_row(x.data(), x.data(), n);
    CHECK(std::isnan(x[0]));
  }
  // Whatever is beside a NaN, and where.
  for (Index n : {1, 2, 5, 16, 37})
    for (T other : {nan, -infinity, infinity, T(3)})
      for (std::size_t at : {std::size_t{0}, static_cast<std::size_t>(n) - 1}) {
        std::vector<T> x(static_cast<std::size_t>(n), other), p = x;
        x[at] = nan;
        CHECK(std::isnan(ops::row_logsumexp(x.data(), n).sum()));
        CHECK(std::isnan(ops::softmax_row(x.data(), p.data(), n).sum()));
        CHECK(std::isnan(p[at]));
      }
  CHECK(ops::row_max(static_cast<const T*>(nullptr), 0) == -infinity);
  CHECK(ops::row_logsumexp(static_cast<const T*>(nullptr), 0).sum() == -infinity);
  CHECK(ops::row_sum(static_cast<const T*>(nullptr), 0) == T(0));
}

}  // namespace

TEST_CASE("softmax and logsumexp of rows against long double") {
  for (double scale : {0.1, 1.0, 10.0, 1000.0}) {
    check_rows<float>(scale, 1e-6);
    check_rows<double>(scale, 1e-15);
  }
}

TEST_CASE("infinities, NaN and empty rows") {
  check_special<float>();
  check_special<double>();
}
