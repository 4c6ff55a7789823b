// What memory a pass will take, known without running it: shapes go through a dry tape (Tape::dry).
//
//   const inspect::Forecast f = inspect::forecast([&](Tape& tape) { return loss(model, tape); });
//   fmt::print("{} bytes at most\n", f.peak.at.bytes);
#pragma once
#include <cstddef>
#include <functional>

#include "autograd/inspect/watch/memory.h"

namespace unroll::inspect {

/// Bytes. Equal to what the same pass then takes on a new tape, to the byte.
struct Forecast {
  std::size_t forward = 0;    // in use after it (Tape::usage)
  Memory::Peak peak;          // the most in use at one moment of forward and backward, and for what
  std::size_t held = 0;       // that the tape holds from the heap in the end, and keeps for the next pass
                              // (Tape::memory); more than the peak, as its blocks grow by doubling
  std::size_t gradients = 0;  // of parameters, which are not the tape's
};

/// Of the pass that f records. Backward begins at the value that f returns, of any shape; there is none if f
/// returns an empty handle. f may read shapes, not numbers. The parameters must be there; inputs may be
/// Tape::full().
Forecast forecast(const std::function<Var(Tape&)>& f, DType dtype = f32);

}  // namespace unroll::inspect
