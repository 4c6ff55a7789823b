// Streaming inference, one step at a time with batch 1: median and 99th percentile of a step, in ns.
//
//   stepper_bench [steps]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "nn/cells.h"
#include "nn/stepper.h"

using namespace unroll;

namespace {

using Clock = std::chrono::steady_clock;

// Times are of runs of so many steps, as one step is near the resolution of the clock.
constexpr int kRun = 16;

template <class Cell>
void measure(const char* name, Index in, Index hidden, int steps) {
  Generator generator(1);
  const Cell cell(in, hidden, generator);
  Stepper stepper(cell, in);
  std::vector<float> x(static_cast<std::size_t>(in), 0.1f);
  std::vector<double> times;
  float sink = 0;
  for (int s = 0; s < steps / kRun + 10; ++s) {
    const auto begin = Clock::now();
    for (int i = 0; i < kRun; ++i) {
      const auto y = stepper.step<float>(x);
      x[0] = 0.3f + 0.5f * y[0];  // as in a filter: each step waits for the one before
    }
    const auto end = Clock::now();
    sink += x[0];
    if (s >= 10) times.push_back(1e9 * std::chrono::duration<double>(end - begin).count() / kRun);
  }
  std::sort(times.begin(), times.end());
  fmt::print("{:6} {:5} {:5}  {:9.0f} {:9.0f} {:9.0f}{}\n", name, in, hidden, times[0],
             times[times.size() / 2], times[times.size() * 99 / 100], sink == 0.123f ? " " : "");
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 0;
  fmt::print("{:6} {:>5} {:>5}  {:>9} {:>9} {:>9}   ns a step\n", "cell", "in", "hid", "best", "median",
             "99 %");
  const Index sizes[][2] = {{1, 16}, {1, 32}, {1, 64}, {64, 128}, {256, 256}, {1024, 1024}};
  for (const auto& [in, hidden] : sizes) {
    const int count = steps > 0 ? steps
                                : static_cast<int>(std::clamp<Index>(
                                      Index{1000000000} / (hidden * (in + hidden) * 16), 1000, 200000));
    measure<Elman>("elman", in, hidden, count);
    measure<Gru>("gru", in, hidden, count);
    measure<Lstm>("lstm", in, hidden, count);
  }
}
