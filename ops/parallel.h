// Parts of a pass that do not depend on each other, computed at once by the tape's thread pool
// (Tape::use_threads).
#pragma once
#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>

#include "ops/part.h"

namespace unroll::ops {

/// What a part gives: results of these shapes.
struct Part {
  std::span<const autograd::Shape> shapes;
  std::span<Var> results;
};

namespace detail {
/// `f` lies in the arena of `tape`.
void parallel(autograd::Tape& tape, std::span<const Var> inputs, std::span<const Part> parts,
              PartFunction call, const void* f, SourceLocation location);
}  // namespace detail

/// Runs f(part, tape, in, out) for parts 0, 1, ..., each on an inner tape of its own, which is kept until
/// backward: `in` are the numbers of `inputs`, and f puts its results, of the given shapes, into `out`. It
/// may be called on several threads at the same time, and must use nothing of the outer tape but `inputs`;
/// parameters are fine. Backward walks over the parts at once, too, unless they share a parameter that
/// learns. Their gradients are added to those of the inputs from the last part to the first: numbers do not
/// depend on the thread pool, nor on whether there is one. While somebody watches the tape, one part runs
/// after the other.
template <class F>
void parallel(autograd::Tape& tape, std::span<const Var> inputs, std::initializer_list<Part> parts,
              const F& f, SourceLocation location = SourceLocation::current()) {
  static_assert(std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>,
                "the function lives in the arena and is never destroyed");
  const auto call = [](const void* kept, int part, autograd::Tape& inner, std::span<const Var> in,
                       std::span<Var> out) { (*static_cast<const F*>(kept))(part, inner, in, out); };
  const void* kept = new (tape.arena().allocate_record(sizeof(F), alignof(F))) F(f);
  detail::parallel(tape, inputs, std::span(parts.begin(), parts.size()), call, kept, location);
}

}  // namespace unroll::ops
