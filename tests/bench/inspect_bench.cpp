// What watching costs: a training step of one LSTM layer alone, and with each observer attached, in turn.
// Prints the median time of a step, and how much longer the watched ones take.
//
//   inspect_bench [seconds a size]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <vector>

#include "autograd/inspect/flow.h"
#include "autograd/inspect/memory.h"
#include "autograd/inspect/profile.h"
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

void compare(Index hidden, Index batch, Index steps, double seconds) {
  Generator random(1);
  Lstm lstm(hidden, hidden, random);
  Optimiser optimiser(parameters(lstm), Sgd{.learning_rate = 1e-6});
  const Layout layout = Layout::uniform(batch, steps);
  Tape tape;
  Gradients gradients;
  auto step = [&] {
    const Var rows = scan(lstm, {tape.full({batch * steps, hidden}, 0.5), &layout}).outputs.rows;
    tape.backward(ops::sum(rows), gradients);
    optimiser.step(gradients);
    gradients.clear();
    tape.clear();
  };
  inspect::Profile profile;
  inspect::Memory memory;
  inspect::Flow states({.gate_elements = 0}), states_and_gates;
  const std::array<Observer*, 5> watchers{nullptr, &profile, &memory, &states, &states_and_gates};
  std::array<std::vector<double>, watchers.size()> times;
  const auto start = Clock::now();
  for (int round = 0; round < 5 || seconds_since(start) < seconds; ++round)
    for (std::size_t which = 0; which < times.size(); ++which) {
      std::optional<Tape::Attachment> attached;
      states.clear();
      states_and_gates.clear();
      if (watchers[which]) attached.emplace(tape, *watchers[which]);
      const auto begin = Clock::now();
      step();
      if (round > 1) times[which].push_back(seconds_since(begin));  // the first take their memory
    }
  const double plain = median(times[0]);
  auto more = [&](std::size_t which) { return 100 * (median(times[which]) / plain - 1); };
  fmt::print("{:6} {:6} {:6} {:10.3f} {:+9.1f}% {:+9.1f}% {:+9.1f}% {:+9.1f}%\n", hidden, batch, steps,
             1e3 * plain, more(1), more(2), more(3), more(4));
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 4;
  fmt::print("{:>6} {:>6} {:>6} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "hidden", "batch", "steps", "ms",
             "profile", "memory", "flow", "and gates");
  for (const auto& [hidden, batch, steps] : {std::array<Index, 3>{32, 1, 50},
                                             {64, 8, 64},
                                             {128, 1, 64},
                                             {128, 32, 64},
                                             {256, 32, 64},
                                             {512, 64, 32}})
    compare(hidden, batch, steps, seconds);
}
