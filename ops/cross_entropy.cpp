#include <algorithm>

#include "ops/class_targets.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Into;

namespace {

struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  ClassTargets targets;

  Shape shape(const Inputs&) const { return {}; }

  template <class T>
  void forward(Forward<T>& context) const {
    if (context.dry()) return;
    double loss = 0;
    for (Index r = 0; r < targets.rows; ++r) loss += targets.loss(r, context.in(0).row(r));
    *context.out().data = static_cast<T>(loss);
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> logits = context.in(0);
    const Into<T> d = context.d_in(0);
    const autograd::Scratch<T> scratch = context.scratch(targets.classes);
    if (context.dry()) return;
    const T d_out = *context.d_out().data;
    T* gradient = scratch.data();
    for (Index r = 0; r < targets.rows; ++r) {
      std::copy_n(logits.row(r), targets.classes, gradient);
      targets.loss_and_gradient(r, gradient);
      put_row(d.view.row(r), targets.classes, d.fresh, [&](Index c) { return d_out * gradient[c]; });
    }
  }
};

}  // namespace

Var cross_entropy(Var logits, const Integers& labels, const CrossEntropyOptions& options,
                  SourceLocation location) {
  autograd::Tape& tape = logits.tape(location);
  const Shape& shape = logits.shape(location);
  if (shape.rank() == 0)
    autograd::fail("cross_entropy", "logits of shape [] came; needed a row of classes", location);
  return tape.record(CrossEntropy{make_targets(tape, "cross_entropy", shape.rows(), shape.cols(), labels,
                                               options, location)},
                     {logits}, location);
}

}  // namespace unroll::ops
