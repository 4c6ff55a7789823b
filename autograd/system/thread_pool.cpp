#include "autograd/system/thread_pool.h"

#include <fmt/format.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <cfenv>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>

namespace unroll::autograd {

namespace {

// A few times what it takes to wake a thread that sleeps.
constexpr auto kPatience = std::chrono::microseconds(100);

void pause() {
#ifdef __SSE2__
  __builtin_ia32_pause();
#endif
}

// The processor that this thread runs on; -1 if that cannot be known.
int processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Moves this thread to another processor, if it may run on one. Where a thread wakes may be where its caller
// works, though others are free: the system then leaves it there for up to half a second.
bool leave([[maybe_unused]] int processor) {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  cpu_set_t others = allowed;
  CPU_CLR(static_cast<std::size_t>(processor), &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return false;
  return sched_setaffinity(0, sizeof allowed, &allowed) == 0;
#else
  return false;
#endif
}

// Whether ready() within that time. Who else wants the processor gets it.
template <class Ready>
bool look_out(std::chrono::microseconds patience, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

// One call of run().
struct Crew::Call {
  void (*work)(const void* w, int i);
  const void* w;
  int next = 1;  // the first that nobody was given
  std::fenv_t mode{};
  std::atomic<int> left = 0;  // that hands were given and have not done; what they touch last
  std::mutex complaining{};
  int thrower = -1;
  std::exception_ptr thrown{};

  void operator()(int i) {
    try {
      work(w, i);
    } catch (...) {
      const std::lock_guard lock(complaining);
      if (!thrown || i < thrower) thrown = std::current_exception(), thrower = i;
    }
  }
};

struct Crew::Hand {
  static constexpr unsigned kIdle = 0, kGiven = 1, kBusy = 2, kDismissed = 3;
  alignas(64) std::atomic<unsigned> state = kIdle;
  std::atomic<unsigned> offers = 0;  // so far, also those that were taken back
  std::atomic<int> caller = -1;      // the processor of who made the last
  Call* call = nullptr;              // this and the next are written by who hires, while the hand is idle
  int index = 0;
  std::thread thread;

  void offer(unsigned what) {
    state = what;
    ++offers;
    offers.notify_one();
  }
};

Crew::Crew(int size, Where where) {
  if (size < 1) fail("crew", fmt::format("{} threads came; needed at least 1", size), where);
  try {
    for (int i = 1; i < size; ++i) {
      Hand& hand = *hands_.emplace_back(std::make_unique<Hand>());
      hand.thread = std::thread([this, &hand] { loop(hand); });
    }
  } catch (const std::system_error& error) {
    dismiss();
    fail("crew", fmt::format("{} threads came; the system has no more: {}", size, error.what()), where);
  }
}

Crew::~Crew() { dismiss(); }

void Crew::dismiss() {
  for (const auto& hand : hands_) {
    if (!hand->thread.joinable()) continue;
    hand->offer(Hand::kDismissed);
    hand->thread.join();
  }
}

void Crew::loop(Hand& hand) {
  auto patience = kPatience;
  for (unsigned seen = 0;;) {
    if (!look_out(patience, [&] { return hand.offers.load() != seen; })) hand.offers.wait(seen);
    seen = hand.offers.load();
    const int here = processor();
    const bool in_the_way = here >= 0 && here == hand.caller.load() && !leave(here);
    patience = in_the_way ? std::chrono::microseconds(0) : kPatience;
    unsigned given = Hand::kGiven;
    if (!hand.state.compare_exchange_strong(given, Hand::kBusy)) {
      if (given == Hand::kDismissed) return;
      continue;  // it was taken back
    }
    Call& call = *hand.call;
    std::fesetenv(&call.mode);
    call(hand.index);
    hand.state = Hand::kIdle;  // first, so that who made the call finds this hand free when it returns
    --call.left;
    ++done_;
    done_.notify_all();
  }
}

void Crew::hire(Call& call, int count) {
  const int here = processor();
  const std::lock_guard lock(hiring_);
  for (const auto& hand : hands_) {
    if (call.next == count) return;
    if (hand->state.load() != Hand::kIdle) continue;
    hand->call = &call;
    hand->index = call.next++;
    hand->caller = here;
    ++call.left;
    hand->offer(Hand::kGiven);
  }
}

int Crew::take_back(const Call& call) {
  const std::lock_guard lock(hiring_);
  for (const auto& hand : hands_)
    if (unsigned given = Hand::kGiven;
        hand->call == &call && hand->state.compare_exchange_strong(given, Hand::kIdle))
      return hand->index;
  return -1;
}

void Crew::run(int count, void (*work)(const void*, int), const void* w, bool shared) {
  if (count < 1) return;
  Call call{work, w};
  if (count > 1 && !hands_.empty()) {
    std::fegetenv(&call.mode);
    hire(call, count);
  }
  call(0);
  while (call.next < count) call(call.next++);
  for (int i; shared && call.left.load() > 0 && (i = take_back(call)) > 0; --call.left) call(i);
  const auto all_done = [&] { return call.left.load() == 0; };
  if (!all_done() && !look_out(kPatience, all_done))
    for (unsigned seen = done_.load(); !all_done(); seen = done_.load()) done_.wait(seen);
  if (call.thrown) std::rethrow_exception(call.thrown);
}

}  // namespace unroll::autograd
