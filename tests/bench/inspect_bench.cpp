// What it costs to look: forward and backward of one LSTM layer with nobody attached, with an inspect::Flow
// without gates, and with one as it is by default. In turn; medians in ms, and ratios to the first.
//
//   inspect_bench [rounds]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <vector>

#include "autograd/inspect/flow.h"
#include "nn/nn.h"

using namespace unroll;

namespace {

struct Size {
  Index in, hidden, batch, steps;
};
constexpr Size kSizes[] = {{32, 64, 8, 64}, {64, 128, 32, 64}, {256, 256, 32, 64}, {512, 512, 64, 32}};

double median(std::vector<double> times) {
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

double milliseconds(Tape& tape, Gradients& gradients, const Lstm& cell, const Tensor& x, const Layout& layout,
                    inspect::Flow* flow) {
  tape.clear();
  gradients.clear();
  if (flow) flow->clear();
  std::optional<Tape::Attachment> attached;
  const auto start = std::chrono::steady_clock::now();
  if (flow) attached.emplace(tape, *flow);
  tape.backward(ops::sum(scan(cell, {tape.constant(x), &layout}).outputs.rows), gradients);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void measure(const Size& size, int rounds) {
  Generator generator(1);
  const Lstm cell(size.in, size.hidden, generator);
  const Layout layout = Layout::uniform(size.batch, size.steps);
  Tensor x({layout.rows(), size.in});
  for (Index i = 0; i < x.size(); ++i) x.set(i, generator.normal());
  Tape tape;
  Gradients gradients;
  inspect::Flow without_gates({.gate_elements = 0}), flow;
  inspect::Flow* watchers[] = {nullptr, &without_gates, &flow};
  std::vector<double> times[3];
  for (int round = -2; round < rounds; ++round)
    for (int w = 0; w < 3; ++w) {
      const double ms = milliseconds(tape, gradients, cell, x, layout, watchers[w]);
      if (round >= 0) times[w].push_back(ms);
    }
  const double off = median(times[0]), states = median(times[1]), gates = median(times[2]);
  fmt::print("{:>4}, {:>4}, {:>3}, {:>3} {:>9.3f} {:>9.3f} {:>9.3f}   {:.3f} {:.3f}\n", size.in, size.hidden,
             size.batch, size.steps, off, states, gates, states / off, gates / off);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 41;
  fmt::print("in, hidden, batch, T    off    states     + gates   ratios\n");
  for (const Size& size : kSizes) measure(size, rounds);
}
