#include "nn/stepper.h"

#include <fmt/format.h>

#include <cstring>

#include "ops/concat.h"
#include "ops/simd/denormals.h"

namespace unroll::nn {

void Stepper::check_order(Order order, SourceLocation location) const {
  if (order == Order::reverse)
    autograd::fail("stepper", "a layer in reverse order came; needed forward order, step by step", location);
}

void Stepper::reject(std::size_t size, DType dtype, SourceLocation location) const {
  autograd::fail("stepper",
                 fmt::format("{} numbers of {} came; needed {} of {}", size, name_of(dtype), input_size_,
                             name_of(tape_->dtype())),
                 location);
}

Var Stepper::input(Index width, SourceLocation location) {
  if (width < 1)
    autograd::fail("stepper", fmt::format("a width of {} came; needed at least 1", width), location);
  input_size_ = static_cast<std::size_t>(batch_ * width);
  const std::size_t bytes = input_size_ * autograd::size_of(tape_->dtype());
  input_ = tape_->arena().allocate(bytes);
  std::memset(input_, 0, bytes);
  return tape_->borrow(input_, Shape{batch_, width}, width);
}

void Stepper::add_field(Var initial) {
  const autograd::Value v = tape_->value(initial.index());
  first_.emplace_back(v.shape, tape_->dtype());
  autograd::dispatch(tape_->dtype(), [&]<class T>() {
    autograd::copy(View<const T>{reinterpret_cast<const T*>(v.data), v.shape, v.stride},
                   first_.back().view<T>());
  });
  state_.push_back({tape_->snapshot(initial), {}});
}

// What a cell hands on unchanged would be overwritten before it is moved: it gets memory of its own. So does
// a slice of columns, which is not one piece.
void Stepper::set_next(Field& field, Var next) {
  auto buffer = [&](Var v) { return tape_->value(v.index()).buffer; };
  const bool handed_on =
      std::ranges::any_of(state_, [&](const Field& f) { return buffer(f.kept) == buffer(next); });
  field.next = handed_on ? ops::multiply(next, 1.0) : ops::contiguous(next);
}

void Stepper::finish_recording(Var output, SourceLocation location) {
  if (tape_->observed() || tape_->context().time_read)
    autograd::fail("stepper",
                   tape_->observed()
                       ? "the net looks at values (tensor(), item(), view()) while it runs; needed "
                         "ops alone, the same at every step"
                       : "the net asks for the time step (Tape::time_step) while it runs; needed "
                         "the same ops at every step: give time as an input",
                   location);
  output = ops::contiguous(output);
  step_ = {*tape_, begin_, tape_->nodes().size()};
  const autograd::Value& y = tape_->value(output.index());
  output_ = y.data;
  output_size_ = static_cast<std::size_t>(y.shape.size());
  for (const Field& f : state_)
    moves_.push_back({tape_->value(f.kept.index()).data, tape_->value(f.next.index()).data,
                      static_cast<std::size_t>(f.kept.shape().size()) * autograd::size_of(tape_->dtype())});
  reset();
}

void Stepper::run() {
  const FlushDenormals flush;  // a state that decays to nothing would take a hundred times as long
  step_();
  for (const Move& m : moves_) std::memcpy(m.to, m.from, m.bytes);
}

void Stepper::reset() { set_state(first_); }

std::vector<Tensor> Stepper::state() const {
  std::vector<Tensor> copies = first_;
  for (std::size_t f = 0; f < moves_.size(); ++f) std::memcpy(copies[f].raw(), moves_[f].to, moves_[f].bytes);
  return copies;
}

void Stepper::set_state(std::span<const Tensor> state, SourceLocation location) {
  if (state.size() != first_.size())
    autograd::fail("stepper", fmt::format("{} state tensors came; needed {}", state.size(), first_.size()),
                   location);
  for (std::size_t f = 0; f < state.size(); ++f)
    if (state[f].shape() != first_[f].shape() || state[f].dtype() != first_[f].dtype())
      autograd::fail("stepper",
                     fmt::format("state tensor {} of shape {} in {} came; needed {} in {}", f,
                                 to_string(state[f].shape()), name_of(state[f].dtype()),
                                 to_string(first_[f].shape()), name_of(first_[f].dtype())),
                     location);
  for (std::size_t f = 0; f < state.size(); ++f) std::memcpy(moves_[f].to, state[f].raw(), moves_[f].bytes);
}

}  // namespace unroll::nn
