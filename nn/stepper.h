// A net that is run one step at a time: it holds the state, and neither records nor allocates.
//
//   Stepper stepper(cell, 1);                        inputs of one number, batch 1
//   for (float x : samples) y = stepper.step<float>({&x, 1})[0];
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "autograd/replay.h"
#include "nn/recurrent.h"

namespace unroll::nn {

struct StepperOptions {
  Index batch = 1;
  DType dtype = f32;
};

/// One step of a cell, a Unidirectional or a Stack of them (forward order, without dropout), and of what
/// comes behind, is recorded once; step() computes its ops again, in the same memory. So a cell's step() must
/// be the same ops at every step: one that looks at values throws Error here. Values are those of scan().
/// The net must outlive the stepper. Parameters may be packed: after they have changed, make a new one.
class Stepper {
 public:
  /// `width` values come for each of the batch. `finish` is applied to the outputs: Var -> Var, such as a
  /// Linear.
  template <class Net>
  Stepper(const Net& net, Index width, const StepperOptions& options = {},
          SourceLocation location = SourceLocation::current())
      : Stepper(
            net, width, options, [](Var y) { return y; }, location) {}
  template <class Net, class Finish>
  Stepper(const Net& net, Index width, const StepperOptions& options, const Finish& finish,
          SourceLocation location = SourceLocation::current());

  /// [batch, width] values, row-major, of the stepper's dtype; gives [batch, outputs], valid until the next
  /// step. T is float or double.
  template <class T>
  std::span<const T> step(std::span<const T> x, SourceLocation location = SourceLocation::current()) {
    if (x.size() != input_size_ || autograd::dtype_of<T> != tape_->dtype())
      reject(x.size(), autograd::dtype_of<T>, location);
    std::ranges::copy(x, reinterpret_cast<T*>(input_));
    run();
    return {reinterpret_cast<const T*>(output_), output_size_};
  }
  /// Back to the first state.
  void reset();
  /// The state's tensors [batch, ...], in the order of the layers and of their Vars.
  std::vector<Tensor> state() const;
  void set_state(std::span<const Tensor> state, SourceLocation location = SourceLocation::current());

 private:
  // One Var of the state: where it is kept, and where a step leaves the next one.
  struct Field {
    Var kept, next;
  };
  // Bytes to be moved after each step.
  struct Move {
    std::byte* to;
    const std::byte* from;
    std::size_t bytes;
  };

  // Adds what a cell, a layer or a stack carries to the state.
  template <Cell C>
  void add_state(const C& cell, SourceLocation) {
    for (const Var v : vars(detail::initial_of(cell, *tape_, batch_))) add_field(v);
  }
  template <Cell C>
  void add_state(const Unidirectional<C>& layer, SourceLocation location) {
    check_order(layer.order, location);
    add_state(layer.cell, location);
  }
  template <class Layer>
  void add_state(const Stack<Layer>& stack, SourceLocation location) {
    if (stack.layers.empty()) autograd::fail("stepper", "no layers came; needed at least one", location);
    for (const Layer& layer : stack.layers) add_state(layer, location);
  }

  // Records one step; `field` is the position of its state.
  template <Cell C>
  Var record(const C& cell, Var x, std::size_t& field) {
    const detail::Steps steps(cell, x, layout_, 0, 1);
    StateOf<C> state{};
    const std::size_t first = field;
    for (Var* v : fields(state)) *v = state_[field++].kept;
    const detail::StepRange one{0, 1, Order::forward, autograd::kNone};
    const StateOf<C> next = detail::take_step(cell, x.tape(), steps(0), state, one, {}, true);
    field = first;
    for (const Var v : vars(next)) set_next(state_[field++], v);
    return state_[first].next;
  }
  template <Cell C>
  Var record(const Unidirectional<C>& layer, Var x, std::size_t& field) {
    return record(layer.cell, x, field);
  }
  template <class Layer>
  Var record(const Stack<Layer>& stack, Var x, std::size_t& field) {
    for (const Layer& layer : stack.layers) {
      const Var y = record(layer, x, field);
      x = stack.residual && y.cols() == x.cols() ? y + x : y;
    }
    return x;
  }

  void add_field(Var initial);
  void set_next(Field& field, Var next);
  void check_order(Order order, SourceLocation location) const;
  [[noreturn]] void reject(std::size_t size, DType dtype, SourceLocation location) const;
  Var input(Index width, SourceLocation location);
  void finish_recording(Var output, SourceLocation location);
  void run();

  Index batch_;
  ops::Layout layout_;
  std::unique_ptr<Tape> tape_;
  std::size_t begin_ = 0;  // the first node of a step
  autograd::Replay step_;
  std::byte *input_ = nullptr, *output_ = nullptr;
  std::size_t input_size_ = 0, output_size_ = 0;
  std::vector<Field> state_;
  std::vector<Tensor> first_;
  std::vector<Move> moves_;
};

template <class Net, class Finish>
Stepper::Stepper(const Net& net, Index width, const StepperOptions& options, const Finish& finish,
                 SourceLocation location)
    : batch_(options.batch),
      layout_(Layout::uniform(options.batch, 1, location)),
      tape_(std::make_unique<Tape>(options.dtype)) {
  const auto silent = tape_->no_gradient();
  const Var x = input(width, location);
  add_state(net, location);
  // Twice: at its second use a large matrix is packed.
  Var y;
  for (int i = 0; i < 2; ++i) {
    begin_ = tape_->nodes().size();
    std::size_t field = 0;
    y = detail::called_from(location, [&] { return finish(record(net, x, field)); });
  }
  finish_recording(y, location);
}

}  // namespace unroll::nn

namespace unroll {
using nn::Stepper;
using nn::StepperOptions;
}  // namespace unroll
