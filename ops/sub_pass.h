// Parts of a pass that are passes of their own, for one node: computed again in backward instead of kept, or
// computed at the same time.
#pragma once
#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>

#include "autograd/tape.h"

namespace unroll::ops {

/// What a part gives: results of these shapes.
struct Part {
  std::span<const autograd::Shape> shapes;
  std::span<Var> results;
};

namespace detail {

/// Computes part number `part` of a node on `tape`: from inputs `in`, results in `out`.
using PartFunction = void (*)(const void* f, int part, autograd::Tape& tape, std::span<const Var> in,
                              std::span<Var> out);
/// `f` lies in the arena of `tape`.
void recompute(autograd::Tape& tape, std::span<const Var> inputs, const Part& part, PartFunction call,
               const void* f, SourceLocation location);
void parallel(autograd::Tape& tape, std::span<const Var> inputs, std::span<const Part> parts,
              PartFunction call, const void* f, SourceLocation location);

template <class F>
const void* keep(autograd::Tape& tape, const F& f) {
  static_assert(std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>,
                "the function lives in the arena and is never destroyed");
  return new (tape.arena().allocate_record(sizeof(F), alignof(F))) F(f);
}

}  // namespace detail

/// Runs f(tape, in, out) on a tape within this one, where `in` are the values of `inputs` and f puts its
/// results, of the given shapes, into `out`: once without gradients, and once more in backward (gradient
/// checkpointing, Chen et al. 2016), so that of the part only the inputs and the results are kept. f must use
/// nothing of the outer tape but `inputs`; parameters are fine. Backward throws Error if it does not give the
/// same results, to the bit, the second time. A gradient is the same to the bit as without this, if f's
/// products with parameters are not mixed with others outside.
template <class F>
void recompute(autograd::Tape& tape, std::span<const Var> inputs, std::span<const autograd::Shape> shapes,
               const F& f, std::span<Var> results, SourceLocation location = SourceLocation::current()) {
  const auto call = [](const void* kept, int, autograd::Tape& inner, std::span<const Var> in,
                       std::span<Var> out) { (*static_cast<const F*>(kept))(inner, in, out); };
  detail::recompute(tape, inputs, {shapes, results}, call, detail::keep(tape, f), location);
}

/// Runs f(part, tape, in, out) for parts 0, 1, ..., each on a tape of its own within this one, which is kept
/// until backward: `in` are the values of `inputs`, and f puts its results, of the given shapes, into `out`.
/// It may be called on several threads at the same time (Tape::use_threads), and must use nothing of the
/// outer tape but `inputs`; parameters are fine. Backward walks over the parts at the same time, too, unless
/// they share a parameter that learns. Their gradients are added to those of the inputs from the last part to
/// the first: values do not depend on the threads, nor on whether there are any. While somebody watches the
/// tape, one part runs after the other.
template <class F>
void parallel(autograd::Tape& tape, std::span<const Var> inputs, std::initializer_list<Part> parts,
              const F& f, SourceLocation location = SourceLocation::current()) {
  const auto call = [](const void* kept, int part, autograd::Tape& inner, std::span<const Var> in,
                       std::span<Var> out) { (*static_cast<const F*>(kept))(part, inner, in, out); };
  detail::parallel(tape, inputs, std::span(parts.begin(), parts.size()), call, detail::keep(tape, f),
                   location);
}

}  // namespace unroll::ops
