// A long sequence through one LSTM, with backpropagation over all of it: everything kept, and in segments
// that backward computes again. Memory of the tape, time of a pass in turn, and whether the gradients have
// the same bits.
//
//   recompute_bench [rounds]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "nn/cells.h"
#include "nn/recurrent.h"
#include "ops/reduce.h"

using namespace unroll;

namespace {

constexpr Index kSteps = 10000, kIn = 2;

struct Run {
  Tape tape;
  Gradients gradients;
  std::vector<double> times;

  template <class LastOf>
  void operator()(const Tensor& xs, const Layout& layout, LastOf last_of) {
    const auto begin = std::chrono::steady_clock::now();
    tape.clear();
    gradients.clear();
    tape.backward(ops::sum(last_of(PackedSequence{tape.borrow(xs), &layout})), gradients);
    times.push_back(1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  double median() {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
  double megabytes() const { return static_cast<double>(tape.memory()) / 1e6; }
};

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  fmt::print("{:>4} {:>5} {:>8}  {:>8} {:>8} {:>6}  {:>8} {:>8} {:>6}  bits\n", "hid", "batch", "segment",
             "MB", "in parts", "ratio", "ms", "in parts", "ratio");
  const Index sizes[][3] = {{32, 1, 100}, {128, 1, 100}, {128, 8, 50}};
  for (const auto& [hidden, batch, segment] : sizes) {
    Generator generator(1);
    const Lstm cell(kIn, hidden, generator);
    const Layout layout = Layout::uniform(batch, kSteps);
    Tensor xs({layout.rows(), kIn});
    for (Index i = 0; i < xs.size(); ++i) xs.set(i, generator.normal());
    Run whole, parts;
    const Index steps = segment;
    for (int i = 0; i < rounds + 1; ++i) {
      whole(xs, layout, [&](const PackedSequence& s) { return scan(cell, s).last.h; });
      parts(xs, layout, [&](const PackedSequence& s) { return last_state_recomputed(cell, s, steps).h; });
    }
    bool same = true;
    for (const Parameter* p : {&cell.weight_ih, &cell.weight_hh, &cell.bias})
      same = same && whole.gradients.dense(*p).values() == parts.gradients.dense(*p).values();
    fmt::print("{:4} {:5} {:8}  {:8.1f} {:8.1f} {:6.3f}  {:8.1f} {:8.1f} {:6.2f}  {}\n", hidden, batch,
               segment, whole.megabytes(), parts.megabytes(), parts.megabytes() / whole.megabytes(),
               whole.median(), parts.median(), parts.median() / whole.median(), same ? "the same" : "differ");
  }
}
