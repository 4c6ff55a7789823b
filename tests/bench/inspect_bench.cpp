// What watching costs: a training step of one LSTM layer on a tape that nobody ever watched, on one that is
// not watched now, and on one with each observer, in turn. Prints the median time of a step, and how much
// longer the others take.
//
//   inspect_bench [seconds a size]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <vector>

#include "autograd/inspect/inspect.h"
#include "nn/nn.h"
#include "ops/reduce.h"

using namespace unroll;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

double median(std::vector<double> x) {
  std::ranges::nth_element(x, x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2));
  return x[x.size() / 2];
}

constexpr const char* kColumns[] = {"ms", "off", "profile", "memory", "flow", "origin", "recorder"};

void compare(Index hidden, Index batch, Index steps, double seconds) {
  Generator random(1);
  Lstm lstm(hidden, hidden, random);
  Optimiser optimiser(parameters(lstm), Sgd{.learning_rate = 1e-6});
  const Layout layout = Layout::uniform(batch, steps);
  Tape untouched, tape;
  Gradients gradients;
  auto step = [&](Tape& on) {
    const Var rows = scan(lstm, {on.full({batch * steps, hidden}, 0.5), &layout}).outputs.rows;
    on.backward(ops::sum(rows), gradients);
    optimiser.step(gradients);
    gradients.clear();
    on.clear();
  };
  inspect::Profile profile;
  inspect::Memory memory;
  inspect::Flow flow;
  inspect::OriginWatch origin;
  constexpr std::size_t kWays = std::size(kColumns);
  std::array<std::vector<double>, kWays> times;
  const auto start = Clock::now();
  for (int round = 0; round < 5 || seconds_since(start) < seconds; ++round)
    for (std::size_t way = 0; way < kWays; ++way) {
      std::optional<autograd::Attachment> attached;
      std::optional<inspect::Recorder> recorder;
      flow.clear();
      if (Observer* const watchers[] = {nullptr, nullptr, &profile, &memory, &flow, &origin, nullptr};
          watchers[way])
        attached.emplace(tape, *watchers[way]);
      if (way == kWays - 1) recorder.emplace(tape);
      const auto begin = Clock::now();
      step(way == 0 ? untouched : tape);
      if (round > 1) times[way].push_back(seconds_since(begin));  // the first take their memory
    }
  const double plain = median(times[0]);
  fmt::print("{:6} {:6} {:6} {:10.3f}", hidden, batch, steps, 1e3 * plain);
  for (std::size_t way = 1; way < kWays; ++way)
    fmt::print(" {:+9.1f}%", 100 * (median(times[way]) / plain - 1));
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 4;
  fmt::print("{:>6} {:>6} {:>6}", "hidden", "batch", "steps");
  for (const char* column : kColumns) fmt::print(" {:>10}", column);
  fmt::print("\n");
  for (const auto& [hidden, batch, steps] : {std::array<Index, 3>{32, 1, 50},
                                             {64, 8, 64},
                                             {128, 1, 64},
                                             {128, 32, 64},
                                             {256, 32, 64},
                                             {512, 64, 32}})
    compare(hidden, batch, steps, seconds);
}
