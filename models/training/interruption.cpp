#include "models/training/interruption.h"

#include <signal.h>

#include <atomic>

namespace unroll::models {

namespace {

using Handler = void (*)(int);

std::atomic<int> came = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes it");

// Where `from` handles a signal, `to` does from now on. A handler may call it.
void replace(Handler from, Handler to) {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != from) continue;
    action.sa_handler = to;
    action.sa_flags |= SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

void keep_in_mind(int signal) {
  came = signal;
  replace(keep_in_mind, SIG_DFL);
}

}  // namespace

Interruption::Interruption() {
  came = 0;
  replace(SIG_DFL, keep_in_mind);
}
Interruption::~Interruption() { replace(keep_in_mind, SIG_DFL); }
int Interruption::signal() const { return came; }

}  // namespace unroll::models
