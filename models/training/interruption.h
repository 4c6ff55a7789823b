// Ctrl-C, and the kill that asks: a run ends its batch, keeps what it has, and says how to go on.
#pragma once
#include <string_view>

#include "autograd/system/error.h"

namespace unroll::models {

/// While one lives, the first SIGINT or SIGTERM is kept in mind; the second one ends the process, as ever. A
/// signal that the process ignores, or handles itself, is left alone. One at a time.
class Interruption {
 public:
  Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();
  /// The one that came; 0 for none.
  int signal() const;
};

/// What ends a run then.
class Interrupted : public Error {
 public:
  Interrupted(int signal, std::string_view message) : Error("training", message), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

}  // namespace unroll::models
