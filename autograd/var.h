// The handle that users compute with.
#pragma once
#include <cstdint>

#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"
#include "autograd/tensor/tensor.h"

namespace unroll::autograd {

class Pass;
class Tape;

/// Index handle of a value on a tape; trivially copyable, valid until the tape is cleared, and one that was
/// made while a Transient lives, until that ends. Every use of a stale or foreign handle throws Error. The
/// tape must outlive its handles.
class Var {
 public:
  Var() = default;

  /// Throws Error for a handle that was never given a value, and for one of a cleared tape.
  Tape& tape(SourceLocation location = SourceLocation::current()) const;
  Shape shape(SourceLocation location = SourceLocation::current()) const;
  Index rows(SourceLocation location = SourceLocation::current()) const;
  Index cols(SourceLocation location = SourceLocation::current()) const;
  DType dtype() const;

  /// A copy of the values.
  Tensor tensor(SourceLocation location = SourceLocation::current()) const;
  /// The only element of a one-element value; throws Error for any other size.
  double item(SourceLocation location = SourceLocation::current()) const;
  /// The values where they are, valid until the tape is cleared; those of a cell's new state until its step
  /// ends, donated ones until backward (Tape::donate).
  template <class T>
  View<const T> view(SourceLocation location = SourceLocation::current()) const;

  bool defined() const { return tape_ != nullptr; }
  /// Position in the tape's table of values.
  std::uint32_t index() const { return index_; }
  bool operator==(const Var&) const = default;

 private:
  friend class Pass;
  friend class Tape;
  Var(Pass* tape, std::uint32_t index, std::uint32_t stamp) : tape_(tape), index_(index), stamp_(stamp) {}
  [[noreturn]] void reject(SourceLocation location) const;
  [[noreturn]] void reject_stale(const char* op, SourceLocation location) const;

  Pass* tape_ = nullptr;  // a Tape
  std::uint32_t index_ = 0;
  std::uint32_t stamp_ = 0;  // the number of the pass, or of the Transient, that it was made in
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Var;
}
