#include "nn/initialise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/orthonormal.h"

namespace unroll::nn {

using autograd::fail;

Block::Block(Tensor& tensor, Index begin, Index count, SourceLocation location)
    : tensor_(&tensor), begin_(begin), count_(count) {
  if (begin < 0 || count < 0 || count > tensor.shape().cols() - begin)
    fail("initialise",
         fmt::format("columns {} to {} of a tensor of shape {} came; needed 0 <= begin <= end <= {}", begin,
                     begin + count, to_string(tensor.shape()), tensor.shape().cols()),
         location);
}

Block gate(Tensor& whole, Index k, Index gates, SourceLocation location) {
  const Index cols = whole.shape().cols();
  if (gates <= 0 || k < 0 || k >= gates || cols % gates != 0)
    fail("initialise",
         fmt::format("gate {} of {} in a tensor of shape {} came; needed 0 <= gate < gates, and columns that "
                     "the gates divide",
                     k, gates, to_string(whole.shape())),
         location);
  return Block(whole, k * (cols / gates), cols / gates, location);
}
Block gate(Parameter& whole, Index k, Index gates, SourceLocation location) {
  return gate(whole.value(), k, gates, location);
}

namespace initialise {

namespace {

void check_matrix(const char* op, const Block& block, SourceLocation location) {
  if (block.tensor_shape().rank() < 2)
    fail(op,
         fmt::format("a tensor of shape {} came; needed a weight [in, out]", to_string(block.tensor_shape())),
         location);
}
double deviation_of(double gain, double fan) { return gain / std::sqrt(std::max(fan, 1.0)); }
double mean_fan(const Block& b) { return static_cast<double>(b.rows() + b.cols()) / 2; }
double fan_of(const Block& b, Fan fan) { return static_cast<double>(fan == Fan::in ? b.rows() : b.cols()); }

template <class Draw>
void fill_from(const Block& block, const Generator& generator, Draw draw) {
  if (generator.wanted()) block.fill([&](Index, Index) { return draw(); });
}
void uniform_with(const Block& block, Generator& generator, double deviation) {
  const double bound = std::sqrt(3.0) * deviation;
  fill_from(block, generator, [&] { return generator.uniform(-bound, bound); });
}
void normal_with(const Block& block, Generator& generator, double deviation) {
  fill_from(block, generator, [&] { return deviation * generator.normal(); });
}

}  // namespace

void constant(Block block, double value) {
  block.fill([&](Index, Index) { return value; });
}
void zeros(Block block) { constant(block, 0); }

void uniform(Block block, Generator& generator, double low, double high, SourceLocation location) {
  if (!(low <= high))
    fail("uniform", fmt::format("{} to {} came; needed the lower bound first", low, high), location);
  fill_from(block, generator, [&] { return generator.uniform(low, high); });
}

void normal(Block block, Generator& generator, double mean, double deviation, SourceLocation location) {
  if (!(deviation >= 0))
    fail("normal", fmt::format("a standard deviation of {} came; needed 0 or more", deviation), location);
  fill_from(block, generator, [&] { return mean + deviation * generator.normal(); });
}

double leaky_relu_gain(double slope) { return std::sqrt(2 / (1 + slope * slope)); }

void glorot_uniform(Block weight, Generator& generator, double gain, SourceLocation location) {
  check_matrix("glorot_uniform", weight, location);
  uniform_with(weight, generator, deviation_of(gain, mean_fan(weight)));
}
void glorot_normal(Block weight, Generator& generator, double gain, SourceLocation location) {
  check_matrix("glorot_normal", weight, location);
  normal_with(weight, generator, deviation_of(gain, mean_fan(weight)));
}
void he_uniform(Block weight, Generator& generator, double gain, Fan fan, SourceLocation location) {
  check_matrix("he_uniform", weight, location);
  uniform_with(weight, generator, deviation_of(gain, fan_of(weight, fan)));
}
void he_normal(Block weight, Generator& generator, double gain, Fan fan, SourceLocation location) {
  check_matrix("he_normal", weight, location);
  normal_with(weight, generator, deviation_of(gain, fan_of(weight, fan)));
}

void orthogonal(Block weight, Generator& generator, double gain, SourceLocation location) {
  check_matrix("orthogonal", weight, location);
  if (!generator.wanted()) return;
  const bool wide = weight.cols() >= weight.rows();
  const Shape shape{std::min(weight.rows(), weight.cols()), std::max(weight.rows(), weight.cols())};
  std::vector<double> numbers(static_cast<std::size_t>(shape.size()));
  std::ranges::generate(numbers, [&] { return generator.normal(); });
  const View<double> q = autograd::view_of(numbers.data(), shape);
  ops::orthonormalise(q);
  weight.fill([&](Index r, Index c) { return gain * (wide ? q(r, c) : q(c, r)); });
}

void identity(Block weight, double scale, SourceLocation location) {
  check_matrix("identity", weight, location);
  if (weight.rows() != weight.cols())
    fail("identity",
         fmt::format("a block of {} rows and {} columns came; needed a square one", weight.rows(),
                     weight.cols()),
         location);
  weight.fill([&](Index r, Index c) { return r == c ? scale : 0; });
}

void forget_gate_bias(Block forget, double value) { constant(forget, value); }

void chrono(Block forget, Block input, Index longest, Generator& generator, SourceLocation location) {
  if (longest < 2) fail("chrono", fmt::format("{} steps came; needed 2 or more", longest), location);
  if (forget.rows() != input.rows() || forget.cols() != input.cols())
    fail("chrono",
         fmt::format("a forget gate of {} columns and an input gate of {} came; needed the same shape",
                     forget.cols(), input.cols()),
         location);
  if (!generator.wanted()) return;
  std::vector<double> values;
  forget.fill([&](Index, Index) {
    return values.emplace_back(std::log(generator.uniform(1, static_cast<double>(longest - 1))));
  });
  input.fill([&](Index r, Index c) { return -values[static_cast<std::size_t>(r * input.cols() + c)]; });
}

}  // namespace initialise
}  // namespace unroll::nn
