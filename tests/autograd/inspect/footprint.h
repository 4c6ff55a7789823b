// All that can be counted of the memory of one pass.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/inspect/watch/memory.h"

namespace unroll::tests {

struct Footprint {
  std::size_t forward, arena, packed, pool, pool_held, held;
  std::vector<inspect::Memory::Moment> timeline;
  inspect::Memory::Peak peak;
};

/// Of the pass that f records and its way back from the value that f returns, if that has a handle.
inline Footprint footprint(const std::function<Var(Tape&)>& f, DType dtype, autograd::Dry dry) {
  Tape tape(dtype, dry);
  inspect::Memory memory;
  const auto attached = tape.attach(memory);
  const Var output = f(tape);
  const std::size_t forward = tape.usage().total();
  Gradients gradients;
  if (output.defined()) tape.backward(output, Tensor(output.shape(), dtype), gradients);
  return {forward,       tape.usage().arena, tape.usage().packed, tape.pool().peak(), tape.pool().held(),
          tape.memory(), memory.timeline(),  memory.peak()};
}

/// What is not the same of a pass that runs and of a dry one; "" if nothing.
inline std::string forecast_error(const std::function<Var(Tape&)>& f, DType dtype) {
  const Footprint real = footprint(f, dtype, autograd::Dry::no),
                  dry = footprint(f, dtype, autograd::Dry::yes);
  std::string wrong;
  auto compare = [&](const char* what, std::size_t a, std::size_t b) {
    if (a != b)
      wrong += std::string(what) + " " + std::to_string(a) + ", foretold " + std::to_string(b) + "; ";
  };
  compare("bytes after forward", real.forward, dry.forward);
  compare("bytes of the arena", real.arena, dry.arena);
  compare("bytes of packed copies", real.packed, dry.packed);
  compare("peak of the pool", real.pool, dry.pool);
  compare("bytes of the pool", real.pool_held, dry.pool_held);
  compare("bytes from the heap", real.held, dry.held);
  compare("peak", real.peak.at.bytes, dry.peak.at.bytes);
  compare("node of the peak", real.peak.at.node, dry.peak.at.node);
  compare("number of phases", real.timeline.size(), dry.timeline.size());
  for (std::size_t i = 0; i < std::min(real.timeline.size(), dry.timeline.size()) && wrong.empty(); ++i) {
    compare("node", real.timeline[i].node, dry.timeline[i].node);
    compare("phase", static_cast<std::size_t>(real.timeline[i].phase),
            static_cast<std::size_t>(dry.timeline[i].phase));
    compare("bytes of a phase", real.timeline[i].bytes, dry.timeline[i].bytes);
  }
  std::size_t alive = 0;
  for (const inspect::Memory::Row& row : real.peak.alive) alive += row.bytes;
  if (alive != real.peak.at.bytes)
    wrong += "what is alive adds up to " + std::to_string(alive) + " of " +
             std::to_string(real.peak.at.bytes) + "; ";
  return wrong;
}

}  // namespace unroll::tests
