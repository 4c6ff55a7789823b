#include "models/training/workers.h"

#include <algorithm>

#include "nn/gradients.h"
#include "ops/simd/denormals.h"

namespace unroll::models {

Workers::Workers(int count, DType dtype, SourceLocation location) : thread_pool_(count, location) {
  for (int i = 0; i < count; ++i) workers_.emplace_back(std::make_unique<Worker>(dtype))->index = i;
}

void Workers::each(const std::function<void(Worker&)>& work, int pieces) {
  const int count = limited(pieces);
  thread_pool_.each(count, [&](int i) {
    const ops::FlushDenormals flush;  // also where it asks the thread pool for help
    Worker& worker = (*this)[i];
    worker.tape.clear();
    worker.tape.use_threads(count < size() ? &thread_pool_ : nullptr);
    work(worker);
  });
}

void Workers::measure(std::size_t count, const std::function<void(Worker&, std::size_t)>& work) {
  const auto pieces = static_cast<int>(std::min(count, workers_.size()));
  each(
      [&](Worker& worker) {
        for (auto i = static_cast<std::size_t>(worker.index); i < count; i += workers_.size()) {
          worker.tape.clear();
          const auto silent = worker.tape.no_gradient();
          work(worker, i);
        }
      },
      pieces);
}

Gradients& Workers::run(const std::function<void(Worker&)>& step, int pieces) {
  for (const auto& worker : workers_) worker->gradients.clear();
  each(step, pieces);
  Gradients& sum = workers_[0]->gradients;
  for (std::size_t i = 1; i < workers_.size(); ++i) nn::accumulate(sum, workers_[i]->gradients);
  return sum;
}

}  // namespace unroll::models
