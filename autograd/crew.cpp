#include "autograd/crew.h"

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

// The one that this thread runs on, if that can be known.
int processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Until ready(), which may become true when `sign` changes. Who else wants the processor gets it.
template <class Ready>
void await(const std::atomic<unsigned>& sign, Ready ready, std::chrono::microseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return;
      pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  for (unsigned seen = sign.load(); !ready(); seen = sign.load()) sign.wait(seen);
}

}  // namespace

// One call of run().
struct Crew::Call {
  void (*work)(const void* w, int i);
  const void* w;
  int next = 1;  // the first that nobody was given
  int processor = unroll::autograd::processor();
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
  Call* call = nullptr;  // this and the next are written by who hires, while the hand is idle
  int index = 0;
  std::thread thread;
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
    hand->state = Hand::kDismissed;
    hand->state.notify_one();
    hand->thread.join();
  }
}

void Crew::loop(Hand& hand) {
  auto patience = kPatience;
  for (;;) {
    await(
        hand.state, [&] { return hand.state.load() != Hand::kIdle; }, patience);
    unsigned given = Hand::kGiven;
    if (!hand.state.compare_exchange_strong(given, Hand::kBusy)) {
      if (given == Hand::kDismissed) return;
      continue;  // it was taken back
    }
    Call& call = *hand.call;
    std::fesetenv(&call.mode);
    call(hand.index);
    // A system chooses a processor when a thread wakes. Two that wait for each other on one would stay there.
    const int here = processor();
    patience = here >= 0 && here == call.processor ? std::chrono::microseconds(0) : kPatience;
    hand.state = Hand::kIdle;  // first, so that who made the call finds this hand free when it returns
    --call.left;
    ++done_;
    done_.notify_all();
  }
}

void Crew::hire(Call& call, int count) {
  const std::lock_guard lock(hiring_);
  for (const auto& hand : hands_) {
    if (call.next == count) return;
    if (hand->state.load() != Hand::kIdle) continue;
    hand->call = &call;
    hand->index = call.next++;
    ++call.left;
    hand->state = Hand::kGiven;
    hand->state.notify_one();
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
  if (call.left.load() > 0) await(done_, [&] { return call.left.load() == 0; });
  if (call.thrown) std::rethrow_exception(call.thrown);
}

}  // namespace unroll::autograd
