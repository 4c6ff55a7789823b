// A part of a pass of which only the inputs and the results are kept: backward computes the rest again.
#pragma once
#include <new>
#include <span>
#include <type_traits>

#include "ops/part.h"

namespace unroll::ops {

namespace detail {
/// `f` lies in the arena of `tape`.
void recompute(autograd::Tape& tape, std::span<const Var> inputs, std::span<const autograd::Shape> shapes,
               PartFunction call, const void* f, std::span<Var> results, SourceLocation location);
}  // namespace detail

/// Runs f(tape, in, out) on an inner tape (Tape::inner), where `in` are the numbers of `inputs` and f puts
/// its results, of the given shapes, into `out`; once without gradients, and once more in backward. It must
/// give the same numbers each time, and use nothing of the outer tape but `inputs`; parameters are fine. A
/// gradient is the same to the bit as without this, if f's products with parameters are not mixed with others
/// outside.
template <class F>
void recompute(autograd::Tape& tape, std::span<const Var> inputs, std::span<const autograd::Shape> shapes,
               const F& f, std::span<Var> results, SourceLocation location = SourceLocation::current()) {
  static_assert(std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>,
                "the function lives in the arena and is never destroyed");
  const auto call = [](const void* kept, int, autograd::Tape& inner, std::span<const Var> in,
                       std::span<Var> out) { (*static_cast<const F*>(kept))(inner, in, out); };
  const void* kept = new (tape.arena().allocate_record(sizeof(F), alignof(F))) F(f);
  detail::recompute(tape, inputs, shapes, call, kept, results, location);
}

}  // namespace unroll::ops
