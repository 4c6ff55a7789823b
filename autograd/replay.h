// Nodes that are computed again in the same memory.
#pragma once
#include <vector>

#include "autograd/tape.h"

namespace unroll::autograd {

/// Nodes [begin, end) of a tape, made ready to be computed again from the values that their inputs hold then,
/// into the same memory, for as long as they are on the tape.
class Replay {
 public:
  Replay() = default;
  Replay(Tape& tape, std::size_t begin, std::size_t end);
  /// Throws Error after backward, and where a parameter has changed or died since it was read: copies of it
  /// in other layouts may be those of before.
  void operator()() const;

  struct Call {
    void (*run)(const void* state);
    const void* state;
    bool keeps;  // memory, as what an op's forward does may
  };

 private:
  Tape* tape_ = nullptr;
  std::vector<Call> calls_;
  bool keeps_ = false;
  mutable std::uint64_t changes_ = 0;  // Parameter::changes() when all parameters were as the tape read them
};

}  // namespace unroll::autograd
