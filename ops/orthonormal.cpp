#include "ops/orthonormal.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ops/gemm/blas.h"

namespace unroll::ops {

namespace {

constexpr Index kBlock = 32;

View<double> rows_of(View<double> x, Index begin, Index count) {
  return {x.row(begin), Shape{count, x.cols()}, x.stride};
}

// block -= block done' done
void project_out(View<double> done, View<double> block, std::vector<double>& products) {
  if (done.rows() == 0) return;
  products.resize(static_cast<std::size_t>(block.rows() * done.rows()));
  const View<double> p = view_of(products.data(), Shape{block.rows(), done.rows()});
  gemm(Transpose::no, Transpose::yes, block, done, 0, p);
  for (double& x : products) x = -x;
  gemm(Transpose::no, Transpose::no, p, done, 1, block);
}

// The rows of one block among themselves.
void orthonormalise_block(View<double> x) {
  const Index n = x.cols();
  for (Index i = 0; i < x.rows(); ++i) {
    double* a = x.row(i);
    for (Index j = 0; j < i; ++j) {
      const double* b = x.row(j);
      const double along = std::inner_product(a, a + n, b, 0.0);
      for (Index c = 0; c < n; ++c) a[c] -= along * b[c];
    }
    const double length = std::sqrt(std::inner_product(a, a + n, a, 0.0));
    for (Index c = 0; c < n; ++c) a[c] /= length;
  }
}

}  // namespace

void orthonormalise(View<double> rows) {
  std::vector<double> products;
  for (Index begin = 0; begin < rows.rows(); begin += kBlock) {
    const View<double> done = rows_of(rows, 0, begin);
    const View<double> block = rows_of(rows, begin, std::min(kBlock, rows.rows() - begin));
    for (int pass = 0; pass < 2; ++pass) {
      project_out(done, block, products);
      orthonormalise_block(block);
    }
  }
}

}  // namespace unroll::ops
