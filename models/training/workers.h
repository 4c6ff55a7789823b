// Threads that split a batch. Each has its own tape and gradients over one model, and BLAS runs on one
// thread, so that nothing is shared but parameters that nobody writes during a pass.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/system/thread_pool.h"
#include "autograd/tape.h"

namespace unroll::models {

struct Worker {
  int index = 0;
  Tape tape;
  Gradients gradients;
  explicit Worker(DType dtype) : tape(dtype) {}
};

/// As many as threads; the calling thread is worker 0. Denormals are flushed to zero while a worker works.
/// Where there are fewer pieces of work than threads, the rest of them help: the tapes that work use_threads
/// them (Tape::use_threads).
class Workers {
 public:
  /// Throws Error unless count is at least 1.
  explicit Workers(int count, DType dtype = DType::f32, SourceLocation location = SourceLocation::current());
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int size() const { return static_cast<int>(workers_.size()); }
  Worker& operator[](int i) { return *workers_[static_cast<std::size_t>(i)]; }

  /// Clears the tapes of the first `pieces` workers, all by default, and calls work(worker) on them at once.
  /// When all have returned, throws what the first of them threw, if any did.
  void each(const std::function<void(Worker&)>& work, int pieces = kAll);
  /// Deals 0, 1, ... count - 1 out, and calls work(worker, i) for each on an empty tape that wants no
  /// gradients: for measuring.
  void measure(std::size_t count, const std::function<void(Worker&, std::size_t)>& work);
  /// The same as each() for a training step: gradients are cleared before, and the sum of them all over
  /// workers 0, 1, 2, ... in this order is returned: the same bits for the same number of workers and pieces.
  Gradients& run(const std::function<void(Worker&)>& step, int pieces = kAll);

 private:
  static constexpr int kAll = -1;
  int limited(int pieces) const { return pieces == kAll || pieces > size() ? size() : pieces; }

  ThreadPool thread_pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// Part `i` of `count` things split as evenly as can be among `parts`.
struct Share {
  Index begin, end;
  Index size() const { return end - begin; }
};
constexpr Share share_of(Index count, int i, int parts) {
  return {count * i / parts, count * (i + 1) / parts};
}

}  // namespace unroll::models

namespace unroll {
using models::Worker;
using models::Workers;
}  // namespace unroll
