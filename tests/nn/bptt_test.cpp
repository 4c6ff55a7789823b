// Backpropagation through time against the equations of the textbook, written out without a tape.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "nn/cells.h"
#include "ops/reduce.h"

using namespace unroll;

namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix matrix(const Tensor& t) {
  Matrix m(static_cast<std::size_t>(t.shape().rows()),
           std::vector<double>(static_cast<std::size_t>(t.shape().cols())));
  for (std::size_t r = 0; r < m.size(); ++r)
    for (std::size_t c = 0; c < m[r].size(); ++c) m[r][c] = t.at(static_cast<Index>(r * m[r].size() + c));
  return m;
}

Tensor random_tensor(const Shape& shape, Generator& generator) {
  Tensor t(shape, f64);
  for (Index i = 0; i < t.size(); ++i) t.set(i, 0.5 * generator.normal());
  return t;
}

}  // namespace

TEST_CASE("the gradient of an unrolled Elman net is that of the hand-derived equations") {
  constexpr std::size_t in = 3, H = 4;
  for (int T : {1, 2, 3, 5, 10, 20, 50}) {
    CAPTURE(T);
    Generator generator(static_cast<std::uint64_t>(T));
    Elman cell(in, H, generator);
    convert(cell, f64);
    cell.bias.value() = random_tensor({H}, generator);
    const Tensor xs = random_tensor({T, in}, generator), target = random_tensor({T, H}, generator);

    // The tape: L = sum over t of h_t . target_t.
    Tape tape(f64);
    Gradients gradients;
    const Layout layout = Layout::uniform(1, T);
    const auto scanned = scan(cell, PackedSequence{tape.constant(xs), &layout});
    tape.backward(ops::sum(scanned.outputs.rows * tape.constant(target)), gradients);

    // By hand. With row vectors, h_t = tanh(x_t W_ih + h_(t-1) W_hh + b), so that
    // dL/dW_hh = sum over t, sum over k <= t of the product of dL/dh_t with
    // prod over j = k+1..t of diag(1 - h_j^2) W_hh', times diag(1 - h_k^2), outer h_(k-1).
    const Matrix W = matrix(cell.weight_hh.value()), U = matrix(cell.weight_ih.value());
    const Matrix x = matrix(xs), g = matrix(target);
    std::vector<std::vector<double>> h(static_cast<std::size_t>(T) + 1, std::vector<double>(H, 0));
    for (std::size_t t = 1; t < h.size(); ++t)
      for (std::size_t j = 0; j < H; ++j) {
        double z = cell.bias.value().at(static_cast<Index>(j));
        for (std::size_t i = 0; i < in; ++i) z += x[t - 1][i] * U[i][j];
        for (std::size_t i = 0; i < H; ++i) z += h[t - 1][i] * W[i][j];
        h[t][j] = std::tanh(z);
      }
    Matrix dW(H, std::vector<double>(H, 0)), dU(in, std::vector<double>(H, 0));
    std::vector<double> db(H, 0);
    for (std::size_t t = 1; t < h.size(); ++t) {
      std::vector<double> dh = g[t - 1];  // dL/dh_t of the term at t, carried down to k
      for (std::size_t k = t; k >= 1; --k) {
        std::vector<double> dz(H);
        for (std::size_t j = 0; j < H; ++j) dz[j] = dh[j] * (1 - h[k][j] * h[k][j]);
        for (std::size_t j = 0; j < H; ++j) {
          for (std::size_t i = 0; i < H; ++i) dW[i][j] += h[k - 1][i] * dz[j];
          for (std::size_t i = 0; i < in; ++i) dU[i][j] += x[k - 1][i] * dz[j];
          db[j] += dz[j];
        }
        for (std::size_t i = 0; i < H; ++i) {
          dh[i] = 0;
          for (std::size_t j = 0; j < H; ++j) dh[i] += dz[j] * W[i][j];
        }
      }
    }

    auto close = [](double a, double b) { return std::abs(a - b) <= 1e-10 * std::max(1.0, std::abs(b)); };
    const Tensor tape_W = gradients.dense(cell.weight_hh), tape_U = gradients.dense(cell.weight_ih),
                 tape_b = gradients.dense(cell.bias);
    for (std::size_t i = 0; i < H; ++i)
      for (std::size_t j = 0; j < H; ++j) CHECK(close(tape_W.at(static_cast<Index>(i * H + j)), dW[i][j]));
    for (std::size_t i = 0; i < in; ++i)
      for (std::size_t j = 0; j < H; ++j) CHECK(close(tape_U.at(static_cast<Index>(i * H + j)), dU[i][j]));
    for (std::size_t j = 0; j < H; ++j) CHECK(close(tape_b.at(static_cast<Index>(j)), db[j]));
  }
}

TEST_CASE("truncated: the gradient of a step goes back to where it was stopped, in either direction") {
  constexpr Index T = 7, stop = 3;
  Generator generator(1);
  Elman cell(2, 3, generator);
  convert(cell, f64);
  const Tensor xs = random_tensor({T, 2}, generator);
  const Layout layout = Layout::uniform(1, T);
  for (const Order order : {Order::forward, Order::reverse}) {
    Tape tape(f64);
    tape.truncate(stop);
    Gradients gradients;
    const Var x = tape.variable(xs);
    const auto scanned = scan(cell, {x, &layout}, order);
    tape.backward(ops::sum(scanned.last), gradients);  // after step 7 of 7: steps 7 alone reach it
    const Tensor gradient = tape.gradient(x);
    for (Index t = 0; t < T; ++t) {
      const Index taken = order == Order::forward ? t : T - 1 - t;
      CHECK((gradient.at(2 * t) != 0) == (taken >= 6));
    }
    tape.clear();
    CHECK(tape.truncation() == stop);
    CHECK_THROWS_AS(scan_recomputed(cell, PackedSequence{tape.constant(xs), &layout}, 2), Error);
  }
}
