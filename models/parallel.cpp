#include "models/parallel.h"

#include <fmt/format.h>

#include "nn/gradients.h"
#include "ops/denormals.h"

namespace unroll::models {

namespace {
int checked(int count, Where where) {
  if (count < 1) autograd::fail("workers", fmt::format("{} threads came; needed at least 1", count), where);
  return count;
}
}  // namespace

Workers::Workers(int count, DType dtype, Where where) : begin_(checked(count, where)), end_(count) {
  for (int i = 0; i < count; ++i) workers_.emplace_back(std::make_unique<Worker>(dtype))->index = i;
  thrown_.resize(workers_.size());
  for (std::size_t i = 1; i < workers_.size(); ++i) threads_.emplace_back([this, i] { loop(i); });
}

Workers::~Workers() {
  work_ = nullptr;
  begin_.arrive_and_wait();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::loop(std::size_t i) {
  for (begin_.arrive_and_wait(); work_; begin_.arrive_and_wait()) {
    work_on(i);
    end_.arrive_and_wait();
  }
}

void Workers::work_on(std::size_t i) {
  const ops::FlushDenormals flush;
  try {
    workers_[i]->tape.clear();
    (*work_)(*workers_[i]);
  } catch (...) {
    thrown_[i] = std::current_exception();
  }
}

void Workers::each(const std::function<void(Worker&)>& work) {
  work_ = &work;
  thrown_.assign(workers_.size(), nullptr);
  begin_.arrive_and_wait();
  work_on(0);
  end_.arrive_and_wait();
  for (const std::exception_ptr& thrown : thrown_)
    if (thrown) std::rethrow_exception(thrown);
}

void Workers::measure(std::size_t count, const std::function<void(Worker&, std::size_t)>& work) {
  each([&](Worker& worker) {
    for (auto i = static_cast<std::size_t>(worker.index); i < count; i += workers_.size()) {
      worker.tape.clear();
      const auto silent = worker.tape.no_gradient();
      work(worker, i);
    }
  });
}

Gradients& Workers::run(const std::function<void(Worker&)>& step) {
  for (const auto& worker : workers_) worker->gradients.clear();
  each(step);
  Gradients& sum = workers_[0]->gradients;
  for (std::size_t i = 1; i < workers_.size(); ++i) nn::accumulate(sum, workers_[i]->gradients);
  return sum;
}

}  // namespace unroll::models
