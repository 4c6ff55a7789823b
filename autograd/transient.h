// Nodes that do not stay.
#pragma once
#include "autograd/tape.h"

namespace unroll::autograd {

/// What is recorded while it lives, without gradients, is thrown away at its end: its handles are refused
/// from then on, and its memory is used again.
class Transient {
 public:
  explicit Transient(Tape& tape);
  Transient(const Transient&) = delete;
  Transient& operator=(const Transient&) = delete;
  ~Transient();

 private:
  Pass& pass_;
  Pass::Held held_;
  std::size_t buffers_, nodes_, provenances_, operands_;
  Arena::Mark mark_;
};

}  // namespace unroll::autograd
