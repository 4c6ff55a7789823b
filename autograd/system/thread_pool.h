// Threads for what can be done at once.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "autograd/system/error.h"

namespace unroll::autograd {

/// A fixed set of threads, the calling one among them. Who has nothing to do looks out for 100
/// microseconds, as work often comes soon, and then sleeps.
class ThreadPool {
 public:
  /// Throws Error unless size is at least 1 and the system gives the threads.
  explicit ThreadPool(int size, SourceLocation location = SourceLocation::current());
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  /// Lasts as long as the thread pool.
  std::weak_ptr<const void> life() const { return life_; }

  /// Calls work(i) for each i < count: work(0) on the calling thread, the others at once on threads that have
  /// nothing to do, each on one of its own and always on the same if none works for somebody else; what is
  /// left over follows on the calling thread. All compute in the caller's floating-point mode, so that it
  /// does not matter to the values who works. When all are done, throws what the first of them in order
  /// threw, if any did. Several threads may call it at once, also those that work for it.
  template <class W>
  void each(int count, const W& work) {
    run(count, call_to<W>, &work, false);
  }
  /// The same for short work: what no other thread has begun when the calling one has nothing left to do, as
  /// it takes long to wake, the calling one does.
  template <class W>
  void share(int count, const W& work) {
    run(count, call_to<W>, &work, true);
  }

 private:
  struct Call;
  struct Worker;
  template <class W>
  static void call_to(const void* work, int i) {
    (*static_cast<const W*>(work))(i);
  }
  void run(int count, void (*work)(const void*, int), const void* w, bool shared);
  void assign(Call& call, int count);
  int take_back(const Call& call);
  void loop(Worker& worker);
  void stop();

  std::shared_ptr<const void> life_ = std::make_shared<char>();
  std::mutex assigning_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<unsigned> done_ = 0;  // changes when a worker has done something
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::ThreadPool;
}
