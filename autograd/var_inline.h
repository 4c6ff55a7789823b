// What a handle asks its tape. Included by tape.h.
#pragma once
#include "autograd/tape.h"

namespace unroll::autograd {

inline Tape& Var::tape(SourceLocation location) const {
  if (!tape_ || !tape_->lives(index_, stamp_)) [[unlikely]]
    reject(location);
  return static_cast<Tape&>(*tape_);
}

inline Shape Var::shape(SourceLocation location) const { return tape(location).value(index_).shape; }
inline Index Var::rows(SourceLocation location) const { return tape(location).value(index_).shape.rows(); }
inline Index Var::cols(SourceLocation location) const { return tape(location).value(index_).shape.cols(); }

template <class T>
View<const T> Var::view(SourceLocation location) const {
  Tape& t = tape(location);
  t.observed_ = true;
  if (t.dry()) fail("view", "a value of a dry tape came; needed one of a tape that computes", location);
  if (t.dtype() != dtype_of<T>) fail("view", std::string("the tape is of ") + name_of(t.dtype()), location);
  const Value& v = t.value(t.check_values(*this, "view", location));
  return {reinterpret_cast<const T*>(v.data), v.shape, v.stride};
}

}  // namespace unroll::autograd
