// First values of parameters.
//
// Weights are stored [in, out], so the fan-in of a matrix is its number of rows and the fan-out its number of
// columns. A recurrent matrix holds its gates side by side in the columns: initialise each for itself,
//
//   for (Index k = 0; k < 4; ++k) initialise::orthogonal(gate(weight_hh, k, 4), generator);
//
// Numbers are drawn in row-major order of the block, in f64, so that f32 and f64 models start alike. With
// Generator::unused() none are drawn, and nothing is written where they would go.
#pragma once
#include "autograd/parameter.h"
#include "ops/random.h"

namespace unroll::nn {

/// A tensor, or some columns of one, to be filled.
class Block {
 public:
  Block(Tensor& tensor) : Block(tensor, 0, tensor.shape().cols()) {}
  Block(Parameter& parameter) : Block(parameter.value()) {}
  /// Columns [begin, begin + count).
  Block(Tensor& tensor, Index begin, Index count, SourceLocation location = SourceLocation::current());
  Block(Parameter& parameter, Index begin, Index count, SourceLocation location = SourceLocation::current())
      : Block(parameter.value(), begin, count, location) {}

  Index rows() const { return tensor_->shape().rows(); }
  Index cols() const { return count_; }
  const Shape& tensor_shape() const { return tensor_->shape(); }
  /// Assigns f(row, column), row by row.
  template <class F>
  void fill(F f) const {
    for (Index r = 0; r < rows(); ++r)
      for (Index c = 0; c < cols(); ++c) set(r, c, f(r, c));
  }

 private:
  void set(Index row, Index column, double value) const {
    tensor_->set(row * tensor_->shape().cols() + begin_ + column, value);
  }
  Tensor* tensor_;
  Index begin_, count_;
};

/// The columns of gate `k` of `gates` that lie side by side; also of a bias.
Block gate(Tensor& whole, Index k, Index gates, SourceLocation location = SourceLocation::current());
Block gate(Parameter& whole, Index k, Index gates, SourceLocation location = SourceLocation::current());

namespace initialise {

void constant(Block block, double value);
void zeros(Block block);
void uniform(Block block, Generator& generator, double low, double high,
             SourceLocation location = SourceLocation::current());
void normal(Block block, Generator& generator, double mean, double deviation,
            SourceLocation location = SourceLocation::current());

/// What keeps the variance of activations behind a function (He et al. 2015).
inline constexpr double kReluGain = 1.4142135623730951, kLinearGain = 1, kTanhGain = 5.0 / 3;
double leaky_relu_gain(double slope);

/// Glorot and Bengio 2010: variance gain^2 2 / (in + out).
void glorot_uniform(Block weight, Generator& generator, double gain = 1,
                    SourceLocation location = SourceLocation::current());
void glorot_normal(Block weight, Generator& generator, double gain = 1,
                   SourceLocation location = SourceLocation::current());
/// He et al. 2015: variance gain^2 / fan, which keeps the variance forward for Fan::in, backward for
/// Fan::out.
enum class Fan { in, out };
void he_uniform(Block weight, Generator& generator, double gain = kReluGain, Fan fan = Fan::in,
                SourceLocation location = SourceLocation::current());
void he_normal(Block weight, Generator& generator, double gain = kReluGain, Fan fan = Fan::in,
               SourceLocation location = SourceLocation::current());

/// gain * a uniformly distributed orthogonal matrix; if it is not square, the shorter side's vectors are
/// orthonormal (Saxe, McClelland and Ganguli 2014).
void orthogonal(Block weight, Generator& generator, double gain = 1,
                SourceLocation location = SourceLocation::current());
/// scale * the identity; the block must be square. For ReLU nets (IRNN: Le, Jaitly and Hinton 2015).
void identity(Block weight, double scale = 1, SourceLocation location = SourceLocation::current());

/// Lets the cell remember at first (Gers, Schmidhuber and Cummins 2000; 1 after Jozefowicz et al. 2015).
void forget_gate_bias(Block forget, double value = 1);
/// Memories that last up to `longest` >= 2 steps: forget = log(U[1, longest - 1]), input = -forget (Tallec
/// and Ollivier 2018). The forget gate is sigmoid(forget).
void chrono(Block forget, Block input, Index longest, Generator& generator,
            SourceLocation location = SourceLocation::current());

}  // namespace initialise
}  // namespace unroll::nn

namespace unroll {
namespace initialise = nn::initialise;
using nn::Block;
using nn::gate;
}  // namespace unroll
