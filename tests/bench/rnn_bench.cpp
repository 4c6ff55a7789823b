// Forward and backward of one LSTM layer: the tape against "the limit", a loop written by hand for this net
// alone, with every product and every element where it is cheapest; and its products alone, without anything
// elementwise. Run in turn; prints medians in ms, and what share of the tape's time is not in products.
//
//   rnn_bench [rounds] [number of one shape] [limit | tape]      the last for profilers: only that one
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "nn/cells.h"
#include "ops/gemm/packed_gemm.h"
#include "ops/simd/simd.h"

using namespace unroll;
using namespace unroll::ops;

namespace {

struct Size {
  Index in, hidden, batch, steps;
};
constexpr Size kSizes[] = {{16, 32, 1, 50},    {32, 64, 8, 64},    {64, 128, 32, 64},
                           {256, 256, 32, 64}, {512, 512, 64, 32}, {1024, 1024, 64, 32}};

View<float> matrix(std::vector<float>& memory, Index rows, Index cols) {
  memory.resize(static_cast<std::size_t>(rows * cols));
  return {memory.data(), Shape{rows, cols}, cols};
}

// -- The limit.

class Limit {
 public:
  Limit(const nn::Lstm& cell, const Tensor& x, Size size)
      : size_(size),
        cell_(cell),
        x_(x.view<float>()),
        gates_(matrix(memory_[0], size.steps * size.batch, 4 * size.hidden)),
        h_(matrix(memory_[1], size.steps * size.batch, size.hidden)),
        c_(matrix(memory_[2], size.steps * size.batch, size.hidden)),
        d_h_(matrix(memory_[3], size.batch, size.hidden)),
        d_c_(matrix(memory_[4], size.batch, size.hidden)),
        d_ih(matrix(memory_[5], size.in, 4 * size.hidden)),
        d_hh(matrix(memory_[6], size.hidden, 4 * size.hidden)),
        d_bias(matrix(memory_[7], 1, 4 * size.hidden)) {
    packed_.resize(static_cast<std::size_t>(packed_size<float>(size.hidden, 4 * size.hidden)));
    packed_transposed_.resize(static_cast<std::size_t>(packed_size<float>(4 * size.hidden, size.hidden)));
    zeros_.resize(static_cast<std::size_t>(size.batch * size.hidden));
  }

  enum class Do { all, products };
  void run(Do what = Do::all) {
    forward(what);
    backward(what);
  }

 private:
  Size size_;
  const nn::Lstm& cell_;
  std::vector<float> memory_[8], packed_, packed_transposed_, zeros_;
  View<const float> x_;
  View<float> gates_, h_, c_, d_h_, d_c_;

 public:
  View<float> d_ih, d_hh, d_bias;

 private:
  View<float> step(View<float> v, Index t, Index steps = 1) const {
    return {v.row(t * size_.batch), Shape{steps * size_.batch, v.cols()}, v.stride};
  }

  void forward(Do what) {
    const auto w_ih = cell_.weight_ih.value().view<float>(), w_hh = cell_.weight_hh.value().view<float>();
    const float* bias = cell_.bias.value().view<float>().data;
    if (w_ih.size() <= 64 * 1024) {
      multiply<float>(x_, w_ih, {bias, gates_.shape, 0}, gates_);
    } else {
      for (Index r = 0; r < gates_.rows(); ++r) std::copy_n(bias, gates_.cols(), gates_.row(r));
      gemm(Transpose::no, Transpose::no, x_, w_ih, 1, gates_);
    }
    const Packed<float> packed = pack<float>(Transpose::no, w_hh, packed_.data());
    for (Index t = 0; t < size_.steps; ++t) {
      const View<float> g = step(gates_, t);
      if (t > 0) multiply<float>(step(h_, t - 1), packed, g, g);
      if (what == Do::products) continue;
      const float* c = t > 0 ? step(c_, t - 1).data : zeros_.data();
      for (Index r = 0; r < size_.batch; ++r)
        cell_row(g.row(r), c + r * size_.hidden, step(h_, t).row(r), step(c_, t).row(r));
    }
  }
  // Leaves the gates' activations in place of their sums.
  void cell_row(float* g, const float* c_before, float* h, float* c) const {
    using P = Pack<float>;
    const Index n = size_.hidden;
    for (Index k = 0; k < n; k += P::lanes) {
      const P i = sigmoid(P::load(g + k)), f = sigmoid(P::load(g + n + k)), z = tanh(P::load(g + 2 * n + k)),
              o = sigmoid(P::load(g + 3 * n + k));
      const P now = fma(f, P::load(c_before + k), i * z);
      i.store(g + k), f.store(g + n + k), z.store(g + 2 * n + k), o.store(g + 3 * n + k);
      now.store(c + k);
      (o * tanh(now)).store(h + k);
    }
  }

  // The derivative of every h_t by the loss is 1, and what comes back from t + 1.
  void backward(Do what) {
    const auto w_hh = cell_.weight_hh.value().view<float>();
    const Packed<float> packed = pack<float>(Transpose::yes, w_hh, packed_transposed_.data());
    std::fill_n(d_h_.data, d_h_.size(), 0.0f);
    std::fill_n(d_c_.data, d_c_.size(), 0.0f);
    for (Index t = size_.steps; t-- > 0;) {
      const View<float> g = step(gates_, t);
      const float* c = t > 0 ? step(c_, t - 1).data : zeros_.data();
      for (Index r = 0; r < size_.batch && what == Do::all; ++r)
        d_cell_row(g.row(r), c + r * size_.hidden, step(c_, t).row(r), d_h_.row(r), d_c_.row(r));
      if (t > 0) multiply<float>(g, packed, {}, d_h_);
    }
    gemm(Transpose::yes, Transpose::no, x_, gates_, 0, d_ih);
    if (size_.steps > 1)
      gemm(Transpose::yes, Transpose::no, step(h_, 0, size_.steps - 1), step(gates_, 1, size_.steps - 1), 0,
           d_hh);
    if (what == Do::products) return;
    std::fill_n(d_bias.data, d_bias.size(), 0.0f);
    for (Index r = 0; r < gates_.rows(); ++r)
      for (Index k = 0; k < gates_.cols(); ++k) d_bias.data[k] += gates_(r, k);
  }
  // Leaves the derivatives of the gates' sums in place of their activations.
  void d_cell_row(float* g, const float* c_before, const float* c, const float* d_h, float* d_c) const {
    using P = Pack<float>;
    const Index n = size_.hidden;
    const P one(1.0);
    for (Index k = 0; k < n; k += P::lanes) {
      const P i = P::load(g + k), f = P::load(g + n + k), z = P::load(g + 2 * n + k),
              o = P::load(g + 3 * n + k);
      const P tanh_c = tanh(P::load(c + k)), d = P::load(d_h + k) + one;
      const P d_now = P::load(d_c + k) + d * o * (one - tanh_c * tanh_c);
      (d_now * z * i * (one - i)).store(g + k);
      (d_now * P::load(c_before + k) * f * (one - f)).store(g + n + k);
      (d_now * i * (one - z * z)).store(g + 2 * n + k);
      (d * tanh_c * o * (one - o)).store(g + 3 * n + k);
      (d_now * f).store(d_c + k);
    }
  }
};

// -- The tape.

class Recorded {
 public:
  Recorded(const nn::Lstm& cell, const Tensor& x, Size size)
      : cell_(cell),
        x_(x),
        layout_(std::vector<int>(static_cast<std::size_t>(size.batch), static_cast<int>(size.steps))),
        seed_({size.steps * size.batch, size.hidden}) {
    seed_.fill(1);
  }
  void run() {
    tape_.clear();
    gradients.clear();
    const PackedSequence xs{tape_.constant(x_), &layout_};
    tape_.backward(scan(cell_, xs).outputs.rows, seed_, gradients);
  }
  Gradients gradients;

 private:
  const nn::Lstm& cell_;
  const Tensor& x_;
  ops::Layout layout_;
  Tensor seed_;
  Tape tape_;
};

// -- In turn.

double milliseconds(auto&& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// The largest difference of two gradients, by the largest element.
double difference(View<const float> a, const Tensor& b) {
  double worst = 0, scale = 0;
  for (Index i = 0; i < b.size(); ++i) {
    worst = std::max(worst, std::abs(a.data[i] - b.at(i)));
    scale = std::max(scale, std::abs(b.at(i)));
  }
  return worst / scale;
}

void compare(Size size, int rounds, std::string_view only) {
  Generator generator(1);
  const nn::Lstm cell(size.in, size.hidden, generator);
  Tensor x({size.steps * size.batch, size.in});
  for (Index i = 0; i < x.size(); ++i) x.set(i, generator.normal());
  Limit limit(cell, x, size);
  Recorded recorded(cell, x, size);
  if (!only.empty()) {
    for (int i = 0; i < rounds; ++i) only == "limit" ? limit.run() : recorded.run();
    return;
  }
  std::vector<double> by_hand, on_tape, ratio, outside;
  for (int i = 0; i < rounds + 2; ++i) {
    const double products = milliseconds([&] { limit.run(Limit::Do::products); });
    const double hand = milliseconds([&] { limit.run(); }), tape = milliseconds([&] { recorded.run(); });
    if (i < 2) continue;  // the first passes take their memory
    by_hand.push_back(hand), on_tape.push_back(tape), ratio.push_back(tape / hand);
    outside.push_back(1 - products / tape);
  }
  const double off = std::max({difference(limit.d_ih, recorded.gradients.dense(cell.weight_ih)),
                               difference(limit.d_hh, recorded.gradients.dense(cell.weight_hh)),
                               difference(limit.d_bias, recorded.gradients.dense(cell.bias))});
  fmt::print(
      "{:5} {:5} {:5} {:5}  {:9.3f} {:9.3f} {:7.3f} {:7.3f} {:7.1f} %  {:.0e}\n", size.in, size.hidden,
      size.batch, size.steps, median(by_hand), median(on_tape), median(ratio),
      *std::min_element(on_tape.begin(), on_tape.end()) / *std::min_element(by_hand.begin(), by_hand.end()),
      100 * median(outside), off);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 0;
  const int shape = argc > 2 ? std::atoi(argv[2]) : -1;
  const std::string_view only = argc > 3 ? argv[3] : "";
  fmt::print("{:>5} {:>5} {:>5} {:>5}  {:>9} {:>9} {:>7} {:>7} {:>9}  difference of gradients\n", "in", "hid",
             "batch", "T", "limit ms", "tape ms", "ratio", "of best", "outside");
  for (int s = 0; s < static_cast<int>(std::size(kSizes)); ++s) {
    const Size& size = kSizes[s];
    const double work = static_cast<double>(size.steps * size.batch * size.hidden * (size.in + size.hidden));
    const int enough = static_cast<int>(std::clamp(3e9 / work, 7.0, 2001.0));
    if (shape < 0 || shape == s) compare(size, rounds > 0 ? rounds : enough, only);
  }
}
