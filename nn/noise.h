// Noise inside a cell: a function of a seed, the recurrence and the time step alone. So whatever way a pass
// is run (recorded, recomputed, both directions at once), a step draws the same numbers each time.
//
//   Var step(Projected x, Var h, const Noise& noise) const {      a cell that takes noise
//     return noise.dropout(tanh(x.add(h, weight_hh)), 0.2);
//   }
//
//   const Training training(tape, seed);    while it lives there is noise; without, dropout gives x itself
#pragma once
#include <cstdint>

#include "autograd/tape.h"
#include "ops/dropout.h"
#include "ops/random.h"

namespace unroll::nn {

/// What is recorded while it lives is training: cells that take Noise draw it from `seed`, which should be
/// another one for each pass. A Stack that is called with a generator does this by itself.
class Training {
 public:
  Training(autograd::Tape& tape, std::uint64_t seed)
      : noise_(tape.context().noise, static_cast<std::int64_t>(seed | 1)),
        scans_(tape.context().noise_scans, 0) {}

 private:
  autograd::Context::Setting noise_, scans_;
};

/// The noise of one step.
class Noise {
 public:
  /// `recurrence`: next_noise(), or 0 for none.
  Noise(std::uint64_t recurrence, std::int64_t step) : recurrence_(recurrence), step_(step) {}

  /// Whether there is any: in training.
  bool on() const { return recurrence_ != 0; }
  /// A stream of its own for each `number`, for noise of one's own making. Throws Error if there is none.
  Generator generator(int number = 0, SourceLocation location = SourceLocation::current()) const;
  /// Dropout; x itself if there is no noise. Each use in a step needs a number of its own.
  Var dropout(Var x, double probability, int number = 0,
              SourceLocation location = SourceLocation::current()) const;
  /// x plus normal noise of this deviation; x itself if there is none.
  Var gaussian(Var x, double deviation, int number = 0,
               SourceLocation location = SourceLocation::current()) const;

 private:
  std::uint64_t recurrence_;
  std::int64_t step_;
};

/// The seed of a recurrence that begins, the same for the same place in the order of recurrences since
/// Training began; 0 if there is none.
std::uint64_t next_noise(autograd::Tape& tape);

}  // namespace unroll::nn

namespace unroll {
using nn::Noise;
using nn::Training;
}  // namespace unroll
