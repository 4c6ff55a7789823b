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
struct ThreadPool::Call {
  void (*work)(const void* w, int i);
  const void* w;
  int next = 1;  // the first that nobody was given
  std::fenv_t mode{};
  std::atomic<int> left = 0;  // that workers were given and have not done; what they touch last
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

struct ThreadPool::Worker {
  static constexpr unsigned kIdle = 0, kGiven = 1, kBusy = 2, kStopped = 3;
  alignas(64) std::atomic<unsigned> state = kIdle;
  std::atomic<unsigned> offers = 0;  // so far, also those that were taken back
  std::atomic<int> caller = -1;      // the processor of who made the last
  Call* call = nullptr;  // this and the next are written by who assigns it, while the worker is idle
  int index = 0;
  std::thread thread;

  void offer(unsigned what) {
    state = what;
    ++offers;
    offers.notify_one();
  }
};

ThreadPool::ThreadPool(int size, SourceLocation location) {
  if (size < 1) fail("thread_pool", fmt::format("{} threads came; needed at least 1", size), location);
  try {
    for (int i = 1; i < size; ++i) {
      Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
      worker.thread = std::thread([this, &worker] { loop(worker); });
    }
  } catch (const std::system_error& error) {
    stop();
    fail("thread_pool", fmt::format("{} threads came; the system has no more: {}", size, error.what()),
         location);
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  for (const auto& worker : workers_) {
    if (!worker->thread.joinable()) continue;
    worker->offer(Worker::kStopped);
    worker->thread.join();
  }
}

void ThreadPool::loop(Worker& worker) {
  auto patience = kPatience;
  for (unsigned seen = 0;;) {
    if (!look_out(patience, [&] { return worker.offers.load() != seen; })) worker.offers.wait(seen);
    seen = worker.offers.load();
    const int here = processor();
    const bool in_the_way = here >= 0 && here == worker.caller.load() && !leave(here);
    patience = in_the_way ? std::chrono::microseconds(0) : kPatience;
    unsigned given = Worker::kGiven;
    if (!worker.state.compare_exchange_strong(given, Worker::kBusy)) {
      if (given == Worker::kStopped) return;
      continue;  // it was taken back
    }
    Call& call = *worker.call;
    std::fesetenv(&call.mode);
    call(worker.index);
    worker.state = Worker::kIdle;  // first, so that who made the call finds this worker free when it returns
    --call.left;
    ++done_;
    done_.notify_all();
  }
}

void ThreadPool::assign(Call& call, int count) {
  const int here = processor();
  const std::lock_guard lock(assigning_);
  for (const auto& worker : workers_) {
    if (call.next == count) return;
    if (worker->state.load() != Worker::kIdle) continue;
    worker->call = &call;
    worker->index = call.next++;
    worker->caller = here;
    ++call.left;
    worker->offer(Worker::kGiven);
  }
}

int ThreadPool::take_back(const Call& call) {
  const std::lock_guard lock(assigning_);
  for (const auto& worker : workers_)
    if (unsigned given = Worker::kGiven;
        worker->call == &call && worker->state.compare_exchange_strong(given, Worker::kIdle))
      return worker->index;
  return -1;
}

void ThreadPool::run(int count, void (*work)(const void*, int), const void* w, bool shared) {
  if (count < 1) return;
  Call call{work, w};
  if (count > 1 && !workers_.empty()) {
    std::fegetenv(&call.mode);
    assign(call, count);
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
