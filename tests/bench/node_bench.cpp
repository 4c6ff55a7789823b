// What one node costs beside its work: a chain of nodes whose op does nothing, recorded and walked back.
// Prints the median and the 99th percentile over all passes, in ns a node.
//
//   node_bench [passes]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "autograd/op.h"

using namespace unroll;

namespace {

struct Nothing {
  static constexpr const char* name = "nothing";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    context.out().data[0] = 0;
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    context.d_in(0).view.data[0] = context.d_out().data[0];
  }
};

using Clock = std::chrono::steady_clock;
double nanoseconds(Clock::time_point from, Clock::time_point to) {
  return 1e9 * std::chrono::duration<double>(to - from).count();
}

void print(const char* what, std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  fmt::print("{:10} {:7.1f} {:7.1f}\n", what, times[times.size() / 2], times[times.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  const int passes = argc > 1 ? std::atoi(argv[1]) : 2000;
  constexpr int kNodes = 500;
  Tape tape;
  Gradients gradients;
  const Tensor one({1, 1});
  std::vector<double> record, backward, both;
  for (int pass = 0; pass < passes + 3; ++pass) {
    tape.clear();
    Var x = tape.variable(one);
    const auto begin = Clock::now();
    for (int i = 0; i < kNodes; ++i) x = tape.record(Nothing(), {x}, SourceLocation::current());
    const auto middle = Clock::now();
    tape.backward(x, gradients);
    const auto end = Clock::now();
    if (pass < 3) continue;  // the first passes take their memory
    record.push_back(nanoseconds(begin, middle) / kNodes);
    backward.push_back(nanoseconds(middle, end) / kNodes);
    both.push_back(nanoseconds(begin, end) / kNodes);
  }
  fmt::print("{:10} {:>7} {:>7}   ns a node\n", "", "median", "99 %");
  print("record", record);
  print("backward", backward);
  print("both", both);
}
