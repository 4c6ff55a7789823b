// The tape: what was computed in one pass, and the walk back over it.
//
//   Tape tape;
//   Gradients gradients;
//   Var loss = mean_squared_error(net(tape.constant(x)), tape.constant(y));
//   tape.backward(loss, gradients);      the derivative of the loss by each parameter
//   tape.clear();                        the next pass uses the same memory
//
// A value is a place in memory with a shape; a node is one application of an op, from input values to output
// values. A view (rows, columns, a reshape) is another value inside the same memory, without a node: its
// gradient lies at the same place inside that memory's gradient, so that slicing costs nothing in either
// direction. docs/design/core.md tells how recording (pass.h), memory (storage.h, buffer.h) and the walk back
// (walk.h) work together; op.h says what an op is.
#pragma once
#include "autograd/pass.h"

namespace unroll::autograd {

class Tape : public Pass {
 public:
  explicit Tape(DType dtype = DType::f32, Dry dry = Dry::no);
  ~Tape();

  // -- Leaves. Tensors are copied, and converted to the tape's dtype.

  Var constant(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  Var constant(const Shape& shape, std::span<const float> values,
               SourceLocation location = SourceLocation::current());
  Var constant(const Shape& shape, std::span<const double> values,
               SourceLocation location = SourceLocation::current()) {
    return constant(Tensor::from(shape, values, DType::f64, location), location);
  }
  Var constant(const Shape& shape, std::initializer_list<double> values,
               SourceLocation location = SourceLocation::current()) {
    return constant(shape, std::span(values.begin(), values.size()), location);
  }
  Var full(const Shape& shape, double value, SourceLocation location = SourceLocation::current());
  Var zeros(const Shape& shape, SourceLocation location = SourceLocation::current()) {
    return full(shape, 0, location);
  }
  /// A leaf whose gradient can be read after backward.
  Var variable(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  /// The parameter's value in this pass, the same handle each time.
  Var parameter(const Parameter& parameter);
  /// The values of x as they are now, in memory of their own, through which no gradient flows.
  Var snapshot(Var x, SourceLocation location = SourceLocation::current());
  /// A leaf on values of this dtype that somebody else keeps until clear(): no copy, no gradient.
  Var borrow(std::byte* values, const Shape& shape, Index stride,
             SourceLocation location = SourceLocation::current());
  /// The same of a tensor, which must be of the tape's dtype.
  Var borrow(const Tensor& tensor, SourceLocation location = SourceLocation::current());
  Var borrow(Tensor&& tensor, SourceLocation location = {}) = delete;  // it would be gone before clear()
  /// The same with a gradient, in memory that lies like the values and holds a sum that is added to; or in
  /// the tape's own if that is nullptr.
  Var borrow(std::byte* values, const Shape& shape, Index stride, std::byte* gradient,
             SourceLocation location = SourceLocation::current());

  // -- Views: no copy, no node.

  /// Rows [begin, begin + count) of the first axis.
  Var rows(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current());
  /// Columns [begin, begin + count) of the last axis.
  Var columns(Var x, Index begin, Index count, SourceLocation location = SourceLocation::current());
  /// As many equal blocks of columns as there are `parts`.
  void split(Var x, std::span<Var> parts, SourceLocation location = SourceLocation::current());
  /// The same elements under another shape. Needs contiguous memory, or the same number of columns.
  Var reshape(Var x, const Shape& shape, SourceLocation location = SourceLocation::current());
  /// The same values, through which no gradient flows.
  Var stop_gradient(Var x, SourceLocation location = SourceLocation::current());

  // -- Backward.

  /// Adds the derivatives of the one-element `loss` to `gradients`. A second call needs a new pass. If it
  /// throws on its way back, out of a hook say, `gradients` is cleared: what it held is then a part of a sum.
  void backward(Var loss, Gradients& gradients, SourceLocation location = SourceLocation::current());
  /// The same for any shape, given the derivative of the final result with respect to `output`.
  void backward(Var output, const Tensor& seed, Gradients& gradients,
                SourceLocation location = SourceLocation::current());
  /// The same for several results at once.
  void backward(std::span<const Seed> seeds, Gradients& gradients,
                SourceLocation location = SourceLocation::current());
  /// After backward: the gradient of a variable, or of a value that was named to keep_gradient(). Zero if the
  /// loss does not depend on it. Those of parameters are in `gradients`.
  Tensor gradient(Var x, SourceLocation location = SourceLocation::current());
  void keep_gradient(Var x, SourceLocation location = SourceLocation::current());
  /// During backward, as soon as the gradient of `x` is complete. A hook may look at the tape, not record;
  /// values that were donated, such as a cell's sums, may be gone (keep_values).
  void on_gradient(Var x, std::function<void(const Tensor&)> hook,
                   SourceLocation location = SourceLocation::current());
  /// The derivative of `outputs`, weighted by `seeds` of their shapes, by each of `inputs`, through nodes
  /// [begin, end) alone; all else is taken as constant. Changes nothing of the pass. Can be asked before,
  /// during and after its backward, then if the tape keeps values, or throws Error if some are gone.
  std::vector<Tensor> pull_back(std::uint32_t begin, std::uint32_t end, std::span<const Var> outputs,
                                std::span<const Tensor> seeds, std::span<const Var> inputs);

  /// Ends the pass: all handles become stale, all memory is kept for the next one.
  void clear();

  // -- How it is recorded.

  /// From now on, for this tape: values stay readable after backward, whatever was donated.
  void keep_values(bool on) { context_.keeps_values = on; }
  /// What is recorded while the result lives wants no gradient.
  [[nodiscard]] Scope no_gradient() { return Scope(context_.silent, 1); }
  /// From now on, the gradient of a recurrence goes back at most so many time steps (truncated
  /// backpropagation through time); 0 for all of them.
  void truncate(Index steps, SourceLocation location = SourceLocation::current());
  Index truncation() const { return context_.truncation; }
  /// From now on, parts of the pass that do not depend on each other, such as the directions of scan_both,
  /// may be computed at once by this pool; nullptr, as at first, or a pool that has gone is none. The values
  /// do not depend on how many threads of it are free.
  void use_threads(ThreadPool* threads);
  ThreadPool* thread_pool() const {
    return context_.thread_pool_lives.expired() ? nullptr : context_.thread_pool;
  }

  // -- Where we are: module path and time step of what is recorded next.

  /// Everything recorded while the result lives belongs to this part, inside the enclosing one.
  [[nodiscard]] Scope scope(std::string_view name) {
    return Scope(context_.scope, context_.scopes->enter(current_scope(), name));
  }
  /// The same for a module; nn::enter() is how one says it.
  [[nodiscard]] Scope scope(const void* module, const ModuleType& type,
                            std::optional<std::string_view> name = {}, SourceLocation location = {}) {
    return Scope(context_.scope, context_.scopes->enter(current_scope(), module, type, name, location));
  }

  // -- Observers (observer.h).

  /// Keeps an observer told of what runs while the result lives; the observer must outlive it.
  [[nodiscard]] Attachment attach(Observer& observer) { return {*this, observer}; }
  bool attended() const { return !context_.observers->empty(); }

  // -- Recording, for ops (op.h).

  template <class O>
  Var record(const O& op, std::initializer_list<Var> inputs, SourceLocation location) {
    return record(op, std::span(inputs.begin(), inputs.size()), location)[0];
  }
  template <class O>
  std::array<Var, O::outputs> record(const O& op, std::span<const Var> inputs, SourceLocation location);
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Tape;
}

#include "autograd/var_inline.h"
