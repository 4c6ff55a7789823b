// What the recording of a pass, the walks over it and the passes within it are all given: where we are, who
// watches, and what holds for the whole tape.
#pragma once
#include <cstdint>
#include <memory>

#include "autograd/observer.h"
#include "autograd/scopes.h"
#include "autograd/tensor/dtype.h"

namespace unroll::autograd {

class ThreadPool;

struct Context {
  Context() : scopes(&own_scopes), observers(&own_observers) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Scopes own_scopes;
  Observers own_observers;
  Scopes* scopes;  // a pass within a pass has those of the outermost
  Observers* observers;
  std::int64_t scope = -1;         // of what is recorded next
  std::int64_t time = -1;          // recurrence and time step
  mutable bool time_read = false;  // whether somebody has asked for the step: Tape::time_step
  std::int64_t walking = 0;        // whether a walk back runs
  std::int64_t silent = 0;         // whether what is recorded wants no gradient
  Index truncation = 0;
  bool keeps_values = false;
  std::int64_t noise = 0;        // seed of the noise in cells; 0 where there is none, as in evaluation
  std::int64_t noise_scans = 0;  // recurrences so far that drew from it
  std::int64_t noise_first = 0,
               noise_stride = 1;  // sequence s is number first + stride * s of the whole batch
  ThreadPool* thread_pool = nullptr;
  std::weak_ptr<const void> thread_pool_lives;

  std::uint32_t current_scope() const { return static_cast<std::uint32_t>(scope); }
  /// Sets a number until the end of a block.
  class Setting {
   public:
    Setting(std::int64_t& slot, std::int64_t now) : slot_(slot), before_(slot) { slot = now; }
    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;
    ~Setting() { slot_ = before_; }

   private:
    std::int64_t& slot_;
    std::int64_t before_;
  };
  /// Makes `within` the context of a pass within this one, in scope `at`. On a thread of its own it notes
  /// scopes for itself.
  void lend_to(Context& within, std::uint32_t at, bool own_thread) const {
    within.observers = observers;
    within.scopes = own_thread ? &within.own_scopes : scopes;
    within.scope = static_cast<std::int32_t>(own_thread ? within.own_scopes.enter(*scopes, at) : at);
    within.truncation = truncation;
    within.keeps_values = keeps_values;
  }
};

}  // namespace unroll::autograd
