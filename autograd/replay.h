// Nodes that do not stay: thrown away step by step, or computed again in the same memory.
#pragma once
#include <vector>

#include "autograd/tape.h"

namespace unroll::autograd {

/// What is recorded while it lives, without gradients, is thrown away at its end: its handles are void, and
/// its memory is used again.
class Tape::Frame {
 public:
  explicit Frame(Tape& tape);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame();

 private:
  Tape& tape_;
  std::size_t values_, roots_, nodes_, leaves_, operands_;
  std::size_t around_;  // Tape::framed_ outside of it
  Arena::Mark mark_;
};

/// Nodes made ready to be computed again from the numbers that their inputs hold then, into the same memory.
class Tape::Replay {
 public:
  void operator()() const;
  struct Call {
    void (*run)(const void* state);
    const void* state;
    bool keeps;  // memory, as what an op's forward does may
  };

 private:
  friend class Tape;
  Tape* tape_ = nullptr;
  std::vector<Call> calls_;
  bool keeps_ = false;
};

}  // namespace unroll::autograd
