#include "ops/gemm/packed_gemm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "ops/matmul.h"
#include "ops/random.h"
#include "ops/simd/instruction_set.h"

using namespace unroll;
using namespace unroll::ops;

namespace {

// A matrix inside a wider one; what lies between its rows is NaN and must stay so.
template <class T>
struct Strided {
  std::vector<T> memory;
  View<T> view;
  Strided(Index rows, Index cols, Index gap, double seed)
      : memory(static_cast<std::size_t>(rows * (cols + gap) + 1), std::numeric_limits<T>::quiet_NaN()),
        view{memory.data(), Shape{rows, cols}, cols + gap} {
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < cols; ++c)
        view(r, c) = static_cast<T>(std::sin(seed + 1.7 * static_cast<double>(r * cols + c)));
  }
  bool gaps_untouched() const {
    for (Index r = 0; r < view.rows(); ++r)
      for (Index c = view.cols(); c < view.stride; ++c)
        if (!std::isnan(view(r, c))) return false;
    return true;
  }
};

enum class From { zero, row, full, self };

// a b + c as the library does it that runs here.
template <class T>
T fused(T a, T b, T c) {
  static const bool rounds_twice = std::string_view(instruction_set()) == "SSE2";
  return rounds_twice ? a * b + c : std::fma(a, b, c);
}

// The largest error of one product, in units of its bound: K + 1 roundings of the sum of magnitudes.
template <class T>
double worst_error(Index m, Index n, Index k, Index gap, From from, Transpose transpose) {
  const Strided<T> a(m, k, gap, 1), addend(m, n, gap, 3);
  const Strided<T> w = transpose == Transpose::yes ? Strided<T>(n, k, gap, 2) : Strided<T>(k, n, gap, 2);
  Strided<T> c(m, n, gap, 4);
  const Strided<T> before = c;
  std::vector<T> memory(static_cast<std::size_t>(packed_size<T>(k, n)));
  const Packed<T> packed = pack<T>(transpose, w.view, memory.data());
  View<const T> begin;
  if (from == From::full) begin = addend.view;
  if (from == From::row) begin = {addend.view.data, Shape{m, n}, 0};
  if (from == From::self) begin = c.view;
  multiply<T>(a.view, packed, begin, c.view);
  CHECK(c.gaps_untouched());

  double worst = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      double sum = from == From::full   ? addend.view(i, j)
                   : from == From::row  ? addend.view(0, j)
                   : from == From::self ? before.memory[static_cast<std::size_t>(i * (n + gap) + j)]
                                        : 0.0;
      double magnitude = std::abs(sum);
      for (Index l = 0; l < k; ++l) {
        const double term =
            double(a.view(i, l)) * double(transpose == Transpose::yes ? w.view(j, l) : w.view(l, j));
        sum += term;
        magnitude += std::abs(term);
      }
      const double bound =
          static_cast<double>(k + 1) * std::numeric_limits<T>::epsilon() * magnitude + 1e-300;
      const double error = std::abs(c.view(i, j) - sum) / bound;
      worst = std::isnan(error) ? 1e9 : std::max(worst, error);
    }
  return worst;
}

template <class T>
void check_all_sizes() {
  for (Index m = 0; m <= 20; ++m)
    for (Index n : {0, 1, 3, 16, 17, 47, 64, 65, 129, 200})
      for (Index k : {0, 1, 2, 5, 33}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        const From from = static_cast<From>((m + n + k) % 4);
        CHECK(worst_error<T>(m, n, k, (m + k) % 3, from, Transpose::no) <= 1);
        CHECK(worst_error<T>(m, n, k, (m + n) % 3, from, Transpose::yes) <= 1);
      }
}

}  // namespace

TEST_CASE("packed products of all small sizes") {
  check_all_sizes<float>();
  check_all_sizes<double>();
}

TEST_CASE("packed products beyond one block of depth and of rows") {
  for (From from : {From::zero, From::row, From::full, From::self})
    for (Transpose t : {Transpose::no, Transpose::yes}) {
      CHECK(worst_error<float>(3, 150, 700, 5, from, t) <= 1);
      CHECK(worst_error<double>(500, 35, 257, 0, from, t) <= 1);
      CHECK(worst_error<float>(1, 1000, 512, 0, from, t) <= 1);
    }
}

TEST_CASE_TEMPLATE("a row's bits depend neither on the other rows nor on packing nor on the sweep", T, float,
                   double) {
  // Panels of four registers in groups, and one of two.
  const Index m = 300, n = 30 * direct_columns<T>(), k = 601;
  const Strided<T> a(m, k, 0, 1), w(k, n, 3, 2);
  Strided<T> c(m, n, 0, 3), one(1, n, 0, 3), direct(m, n, 0, 3);
  std::vector<T> memory(static_cast<std::size_t>(packed_size<T>(k, n)));
  const Packed<T> packed = pack<T>(Transpose::no, w.view, memory.data());
  multiply<T>(a.view, packed, {}, c.view);
  multiply<T>(a.view, View<const T>(w.view), {}, direct.view, Sweep::back);
  for (Index r = 0; r < m; ++r) {
    multiply<T>({a.view.row(r), Shape{1, k}, k}, packed, {}, one.view, r % 2 ? Sweep::back : Sweep::forth);
    for (Index j = 0; j < n; ++j) {
      REQUIRE(one.view(0, j) == c.view(r, j));
      REQUIRE(direct.view(r, j) == c.view(r, j));
    }
  }
}

TEST_CASE_TEMPLATE("one row made ready has the bits of a row among others", T, float, double) {
  for (Index registers = 1; registers <= 8; ++registers)
    for (Index k : {1, 2, 5, 33, 300})
      for (bool adds : {false, true}) {
        CAPTURE(registers);
        CAPTURE(k);
        const Index m = 7, n = registers * direct_columns<T>();
        const Strided<T> a(m, k, 1, 1), w(k, n, 3, 2), addend(m, n, 0, 3);
        Strided<T> c(m, n, 0, 4), one(1, n, 0, 4);
        std::vector<T> memory(static_cast<std::size_t>(packed_size<T>(k, n)));
        const Packed<T> packed = pack<T>(Transpose::no, w.view, memory.data());
        const View<const T> matrix = w.view, all = adds ? View<const T>(addend.view) : View<const T>();
        multiply<T>(a.view, packed, all, c.view);
        for (Index r = 0; r < m; ++r)
          for (bool as_it_stands : {false, true}) {
            const View<const T> row{a.view.row(r), Shape{1, k}, k};
            View<const T> from;
            if (adds) from = {addend.view.row(r), Shape{1, n}, n};
            RowProduct<T> product;
            const bool ready = as_it_stands ? product.set(row, matrix, from, one.view)
                                            : product.set(row, packed, from, one.view);
            REQUIRE(ready == (k < 300));  // one block of depth
            if (!ready) continue;
            product();
            for (Index j = 0; j < n; ++j) REQUIRE(one.view(0, j) == c.view(r, j));
          }
      }
}

TEST_CASE_TEMPLATE("the general product is one chain, whichever way its operands lie", T, float, double) {
  const Index sizes[][3] = {{1, 64, 5},      {2, 17, 3}, {7, 100, 300}, {13, 64, 40},
                            {250, 130, 260}, {5, 0, 3},  {3, 4, 0}};
  for (const auto& [m, n, k] : sizes)
    for (Transpose ta : {Transpose::no, Transpose::yes})
      for (Transpose tb : {Transpose::no, Transpose::yes})
        for (bool adds : {false, true}) {
          const Strided<T> a(m, k, 1, 1), b(k, n, 2, 2);
          Strided<T> across_a(k, m, 2, 1), across_b(n, k, 1, 2), expected(m, n, 3, 4), c(m, n, 3, 4);
          for (Index l = 0; l < k; ++l) {
            for (Index i = 0; i < m; ++i) across_a.view(l, i) = a.view(i, l);
            for (Index j = 0; j < n; ++j) across_b.view(j, l) = b.view(l, j);
          }
          for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < n; ++j) {
              T sum = adds ? expected.view(i, j) : T(0);
              for (Index l = 0; l < k; ++l) sum = fused(a.view(i, l), b.view(l, j), sum);
              expected.view(i, j) = sum;
            }
          multiply<T>(ta, ta == Transpose::yes ? across_a.view : a.view, tb,
                      tb == Transpose::yes ? across_b.view : b.view,
                      adds ? View<const T>(c.view) : View<const T>(), c.view);
          CHECK(c.gaps_untouched());
          for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < n; ++j) REQUIRE(c.view(i, j) == expected.view(i, j));
        }
}

TEST_CASE_TEMPLATE("a sum over rows can be taken in parts, from the last row to the first", T, float,
                   double) {
  const Index rows = 700, m = 20, n = 70;
  const Strided<T> a(rows, m, 0, 1), b(rows, n, 0, 2);
  auto from = [](View<const T> v, Index begin, Index end) {
    return View<const T>{v.row(end - 1), Shape{end - begin, v.cols()}, -v.stride};
  };
  auto sum = [&](std::vector<Index> ends) {
    Strided<T> c(m, n, 0, 3);
    Index end = rows;
    for (Index begin : ends) {
      multiply<T>(Transpose::yes, from(a.view, begin, end), Transpose::no, from(b.view, begin, end),
                  end == rows ? View<const T>() : View<const T>(c.view), c.view);
      end = begin;
    }
    return c.memory;
  };
  const auto whole = sum({0}), parts = sum({650, 300, 299, 10, 0});
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) REQUIRE(whole[i] == parts[i]);
}

namespace {

// The gradients of a chain x_t = tanh(x_{t-1} w) of `steps` uses of one w, and the last x.
std::vector<Tensor> chain(DType dtype, Index rows, Index units, int steps, bool poisoned) {
  Tape tape(dtype);
  tape.poison(poisoned);
  Gradients gradients;
  Tensor x0({rows, units}), w0({units, units});
  Generator generator(1);
  for (Index i = 0; i < x0.size(); ++i) x0.set(i, generator.normal());
  for (Index i = 0; i < w0.size(); ++i) w0.set(i, generator.normal() / std::sqrt(double(units)));
  std::vector<Tensor> results;
  for (int pass = 0; pass < 2; ++pass) {
    tape.clear();
    Var x = tape.variable(x0), w = tape.variable(w0), y = x;
    for (int t = 0; t < steps; ++t) y = tanh(matmul(y, w));
    Tensor seed(y.shape(), dtype);
    for (Index i = 0; i < seed.size(); ++i) seed.set(i, std::sin(double(i)));
    tape.backward(y, seed, gradients);
    for (Var v : {x, w}) results.push_back(tape.gradient(v));
    results.push_back(y.tensor());
  }
  return results;
}

}  // namespace

TEST_CASE("a matrix used once, twice and often on a tape: f32 as f64, each pass the same bits") {
  // Below and above the sizes at which the product packs, and at which it leaves the work to OpenBLAS.
  const Index shapes[][2] = {{1, 33}, {5, 64}, {3, 500}, {40, 384}, {150, 300}};
  for (const auto& [rows, units] : shapes)
    for (int steps : {1, 2, 6}) {
      const auto f = chain(f32, rows, units, steps, true), d = chain(f64, rows, units, steps, false);
      for (std::size_t i = 0; i < f.size(); ++i) {
        double worst = 0, scale = 0;
        for (Index e = 0; e < f[i].size(); ++e) {
          const double error = std::abs(f[i].at(e) - d[i].at(e));
          worst = std::isnan(error) ? 1e9 : std::max(worst, error);
          scale = std::max(scale, std::abs(d[i].at(e)));
        }
        CHECK(worst <= 2e-5 * scale);
        if (i >= 3) CHECK(f[i].values() == f[i - 3].values());
      }
    }
}
