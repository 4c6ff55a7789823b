// Handles, and nodes, that do not stay.
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

/// The handles of what is recorded while it lives are refused from then on. What was recorded stays.
class HandleScope {
 public:
  explicit HandleScope(Tape& tape);
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  ~HandleScope() { pass_.held_ = held_.around; }
  /// A handle of x that stays. Throws Error if x is stale already.
  Var keep(Var x) const;

 private:
  Pass& pass_;
  Pass::Held held_;
};

}  // namespace unroll::autograd
