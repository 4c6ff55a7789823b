// Cross entropy fused with the linear layer before it. Forward walks over chunks of rows: logits of the
// chunk, their loss, their gradient in place, and from that the gradients of x, weight and bias, which wait
// in the arena for the one number that backward brings.
#include <fmt/format.h>

#include <algorithm>

#include "ops/class_targets.h"
#include "ops/gemm/blas.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Into;
using autograd::Tape;

namespace {

constexpr const char* kName = "linear_cross_entropy";

// A chunk of logits should stay in the L2 cache between its products, but each chunk reads the whole weight
// and adds to its whole gradient: fewer rows than these would spend their time on that.
constexpr Index kChunkBytes = 1 << 20, kLeastRows = 144;

struct LinearCrossEntropy {
  static constexpr const char* name = kName;
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  ClassTargets targets;
  Transpose transposed;
  void* gradient[3];  // of x, weight and bias for d_out = 1; nullptr where nobody wants it

  Shape shape(const Inputs&) const { return {}; }

  template <class T>
  View<T> kept(int input, const Shape& shape) const {
    return autograd::view_of(static_cast<T*>(gradient[input]), shape);
  }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0), weight = context.in(1);
    const Index classes = targets.classes;
    const Index most =
        std::max<Index>(kChunkBytes / (classes * static_cast<Index>(sizeof(T)) + 1), kLeastRows);
    const Index chunks = std::max<Index>(1, (targets.rows + most - 1) / most);
    const Index chunk = (targets.rows + chunks - 1) / chunks;  // rows are dealt evenly
    const autograd::Scratch<T> scratch = context.scratch(chunk * classes);
    LongSums<T> d_bias;
    if (gradient[2]) d_bias.begin(context.tape().pool(), static_cast<T*>(gradient[2]), classes, targets.rows);
    if (context.dry()) return;
    for (int i : {1, 2})
      if (gradient[i]) std::fill_n(static_cast<T*>(gradient[i]), context.in(i).size(), T(0));
    double loss = 0;
    for (Index begin = 0; begin < targets.rows; begin += chunk) {
      const Index count = std::min(chunk, targets.rows - begin);
      const View<const T> rows{x.row(begin), Shape{count, x.cols()}, x.stride};
      const View<T> logits = autograd::view_of(scratch.data(), Shape{count, classes});
      compute_logits(context, rows, weight, logits);
      loss += take_loss(begin, logits);
      add_gradients<T>(begin, rows, weight, logits, d_bias);
    }
    d_bias.finish();
    *context.out().data = static_cast<T>(loss);
  }

  template <class T>
  void compute_logits(Forward<T>& context, View<const T> rows, View<const T> weight, View<T> logits) const {
    const bool biased = context.inputs() == 3;
    if (biased)
      for (Index r = 0; r < logits.rows(); ++r) std::copy_n(context.in(2).data, logits.cols(), logits.row(r));
    gemm(Transpose::no, transposed, rows, weight, T(biased), logits);
  }

  // Leaves d_logits in place of the logits, if a gradient is wanted.
  template <class T>
  double take_loss(Index begin, View<T> logits) const {
    double loss = 0;
    const bool wanted = gradient[0] || gradient[1] || gradient[2];
    for (Index r = 0; r < logits.rows(); ++r)
      loss += wanted ? targets.loss_and_gradient(begin + r, logits.row(r))
                     : targets.loss(begin + r, logits.row(r));
    return loss;
  }

  template <class T>
  void add_gradients(Index begin, View<const T> rows, View<const T> weight, View<const T> d_logits,
                     LongSums<T>& d_bias) const {
    if (gradient[0]) {
      const View<T> all = kept<T>(0, Shape{targets.rows, rows.cols()});
      const View<T> d_rows = autograd::view_of(all.row(begin), rows.shape);
      gemm(Transpose::no, transposed == Transpose::yes ? Transpose::no : Transpose::yes, d_logits, weight,
           T(0), d_rows);
    }
    if (gradient[1]) {
      const View<T> d_weight = kept<T>(1, weight.shape);
      if (transposed == Transpose::yes)
        gemm(Transpose::yes, Transpose::no, d_logits, rows, T(1), d_weight);
      else
        gemm(Transpose::yes, Transpose::no, rows, d_logits, T(1), d_weight);
    }
    if (gradient[2]) {
      for (Index r = 0; r < d_logits.rows(); ++r) {
        add_row(d_logits.row(r), d_logits.cols(), static_cast<T*>(gradient[2]));
        d_bias.next();
      }
    }
  }

  template <class T>
  void backward(Backward<T>& context) const {
    for (int i = 0; i < context.inputs(); ++i) {
      if (!context.wants(i)) continue;
      const View<const T> whole = kept<T>(i, context.in_shape(i));
      const Into<T> d = context.d_in(i);
      if (context.dry()) continue;
      const T d_out = *context.d_out().data;
      for (Index r = 0; r < whole.rows(); ++r)
        put_row(d.view.row(r), whole.cols(), d.fresh, [&](Index c) { return d_out * whole(r, c); });
    }
  }

  /// Forward makes the logits and, by two more products, the gradients; 2 M N K each.
  autograd::Work work(const autograd::Application& at, autograd::Phase phase, autograd::Work usual) const {
    if (phase != autograd::Phase::forward) return usual;
    auto size = [](const Shape& s) { return static_cast<double>(s.size()); };
    const double logits = static_cast<double>(targets.rows * targets.classes);
    const int products = 1 + (gradient[0] != nullptr) + (gradient[1] != nullptr);
    usual.operations = 2 * logits * static_cast<double>(at.in(0).cols()) * products + logits;
    for (int i = 0; i < at.inputs(); ++i)
      if (gradient[i]) usual.bytes += at.bytes(size(at.in(i)));
    return usual;
  }
};

Var fused(Var x, Term weight, const Term* bias, const Integers& labels, const CrossEntropyOptions& options,
          WeightLayout layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  if (weight.is_number() || (bias && bias->is_number()))
    autograd::fail(kName, "a number came; needed a weight matrix, and a bias or none", location);
  const Var inputs[] = {x, weight.on(tape), bias ? bias->on(tape) : Var()};
  const Shape &xs = x.shape(location), &ws = inputs[1].shape(location);
  const bool transposed = layout == WeightLayout::out_in;
  if (xs.rank() == 0 || ws.rank() != 2 || ws[transposed ? 1 : 0] != xs.cols())
    autograd::fail(kName,
                   fmt::format("x of shape {} and a weight of shape {} came; needed {} with H = {}",
                               to_string(xs), to_string(ws), transposed ? "[V, H]" : "[H, V]", xs.cols()),
                   location);
  const Index classes = ws[transposed ? 0 : 1];
  if (bias && (inputs[2].shape(location).size() != classes || inputs[2].cols(location) != classes))
    autograd::fail(
        kName,
        fmt::format("a bias of shape {} came; needed [{}]", to_string(inputs[2].shape(location)), classes),
        location);

  LinearCrossEntropy op{make_targets(tape, kName, xs.rows(), classes, labels, options, location),
                        transposed ? Transpose::yes : Transpose::no,
                        {}};
  const std::size_t count = bias ? 3 : 2;
  for (std::size_t i = 0; i < count; ++i) {
    const autograd::Value& v = tape.value(tape.check(inputs[i], kName, location));
    if (v.wants_gradient && tape.records_gradients())
      op.gradient[i] =
          tape.arena().allocate(static_cast<std::size_t>(v.shape.size()) * size_of(tape.dtype()));
  }
  return tape.record(op, std::span(inputs, count), location)[0];
}

}  // namespace

Var linear_cross_entropy(Var x, Term weight, Term bias, const Integers& labels,
                         const CrossEntropyOptions& options, WeightLayout layout, SourceLocation location) {
  return fused(x, weight, &bias, labels, options, layout, location);
}
Var linear_cross_entropy(Var x, Term weight, const Integers& labels, const CrossEntropyOptions& options,
                         WeightLayout layout, SourceLocation location) {
  return fused(x, weight, nullptr, labels, options, layout, location);
}

}  // namespace unroll::ops
