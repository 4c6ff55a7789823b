// The handle that users compute with.
#pragma once
#include <cstdint>

#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"
#include "autograd/tensor/tensor.h"

namespace unroll::autograd {

class Tape;

/// Index handle of a value on a tape; trivially copyable, valid until the tape is cleared. Every use of a
/// stale or foreign handle throws Error. The tape must outlive its handles.
class Var {
 public:
  Var() = default;

  /// Throws Error for a handle that was never given a value, and for one of a cleared tape.
  Tape& tape(SourceLocation location = SourceLocation::current()) const;
  Shape shape(SourceLocation location = SourceLocation::current()) const;
  Index rows(SourceLocation location = SourceLocation::current()) const;
  Index cols(SourceLocation location = SourceLocation::current()) const;
  DType dtype() const;

  /// A copy of the numbers.
  Tensor tensor(SourceLocation location = SourceLocation::current()) const;
  /// The only number of a one-element value; throws Error for any other size.
  double item(SourceLocation location = SourceLocation::current()) const;
  /// The numbers where they are, valid until the tape is cleared; those of a cell's new state until its step
  /// ends, released ones until backward (Tape::release_numbers).
  template <class T>
  View<const T> view(SourceLocation location = SourceLocation::current()) const;

  bool defined() const { return tape_ != nullptr; }
  /// Position in the tape's table of values.
  std::uint32_t index() const { return index_; }
  bool operator==(const Var&) const = default;

 private:
  friend class Tape;
  Var(Tape* tape, std::uint32_t index, std::uint32_t pass) : tape_(tape), index_(index), pass_(pass) {}
  [[noreturn]] void reject(SourceLocation location) const;

  Tape* tape_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint32_t pass_ = 0;
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Var;
}
