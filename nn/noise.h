// Noise inside a cell: a function of a seed, the recurrence, the time step and the sequence alone. So
// whatever way a pass is run (recorded, recomputed, both directions at once, a batch as a whole or in
// pieces), a sequence draws the same numbers at a step each time.
//
//   Var step(Projected x, Var h, const Noise& noise) const {      a cell that takes noise
//     return noise.dropout(tanh(x.add(h, weight_hh)), 0.2);
//   }
//
//   const Training training(tape, seed);    while it lives there is noise; without, dropout gives x itself
#pragma once
#include <cstdint>
#include <span>

#include "autograd/tape.h"
#include "ops/dropout.h"
#include "ops/random.h"

namespace unroll::nn {

using autograd::Index;

/// What is recorded while it lives is training: cells that take Noise draw it from `seed`, which should be
/// another one for each pass. A Stack that is called with a generator does this by itself.
class Training {
 public:
  Training(autograd::Tape& tape, std::uint64_t seed)
      : Training(tape, seed, tape.context().noise_first, tape.context().noise_stride) {}
  /// The same for a piece of a batch, such as that of one thread of several: its sequence s is number
  /// first + stride * s of the whole batch, and draws what it would draw there.
  Training(autograd::Tape& tape, std::uint64_t seed, Index first, Index stride)
      : noise_(tape.context().noise, static_cast<std::int64_t>(seed | 1)),
        scans_(tape.context().noise_scans, 0),
        first_(tape.context().noise_first, first),
        stride_(tape.context().noise_stride, stride) {}

 private:
  autograd::Context::Setting noise_, scans_, first_, stride_;
};

/// The noise of a recurrence.
struct NoiseOfScan {
  std::uint64_t seed = 0;  // 0 if there is none
  Index first = 0, stride = 1;
};
/// Of a recurrence that begins: the same for the same place in the order of recurrences since Training began.
NoiseOfScan next_noise(autograd::Tape& tape);

/// The noise of one step. Row r of what a step computes is of the r-th sequence that has the step.
class Noise {
 public:
  Noise() = default;
  /// `sequences`: which each row is of, Layout::sequences().
  Noise(const NoiseOfScan& scan, std::int64_t step, std::span<const int> sequences)
      : scan_(scan), step_(step), sequences_(sequences) {}

  /// Whether there is any: in training.
  bool on() const { return scan_.seed != 0; }
  /// The seed of row `row`, another one for each `number`: for noise of one's own making. Throws Error if
  /// there is no noise.
  Generator generator(Index row, int number = 0, SourceLocation location = SourceLocation::current()) const;
  /// Dropout; x itself if there is no noise. Each use in a step needs a number of its own.
  Var dropout(Var x, double probability, int number = 0,
              SourceLocation location = SourceLocation::current()) const;
  /// x plus normal noise of this deviation; x itself if there is none.
  Var gaussian(Var x, double deviation, int number = 0,
               SourceLocation location = SourceLocation::current()) const;

 private:
  NoiseOfScan scan_;
  std::int64_t step_ = 0;
  std::span<const int> sequences_;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Noise;
using nn::Training;
}  // namespace unroll
