#include "autograd/inspect/watch/forecast.h"

namespace unroll::inspect {

Forecast forecast(const std::function<Var(Tape&)>& f, DType dtype) {
  Tape tape(dtype, autograd::Dry::yes);
  Memory memory;
  const auto attached = tape.attach(memory);
  Forecast result;
  const Var output = f(tape);
  result.forward = tape.usage().total();
  if (output.defined()) {
    Gradients gradients;
    tape.backward(output, Tensor(output.shape(), dtype), gradients);
    gradients.each([&](const Gradients::Entry& e) { result.gradients += e.buffer().bytes(); });
  }
  result.peak = memory.peak();
  result.held = tape.memory();
  return result;
}

}  // namespace unroll::inspect
