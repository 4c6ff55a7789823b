// A whole program in twenty lines, for what it takes to compile and how large it is (docs/performance.md): a
// GRU learns to add ten numbers.
#include <cstdio>

#include "nn/nn.h"
using namespace unroll;

int main() {
  Generator random(1);
  Unidirectional<Gru> net{Gru(1, 16, random)};
  Linear head(16, 1, random);
  Optimiser adam(parameters(net), Adam{.learning_rate = 0.02});
  adam.add(parameters(head), Adam{.learning_rate = 0.02});
  const Layout layout = Layout::uniform(32, 10);  // 32 sequences of 10 steps, time-major
  double first = 0, last = 0;
  for (int step = 0; step < 300; ++step) {
    Tensor x({10 * 32, 1}), y({32, 1});
    for (Index i = 0; i < x.size(); ++i) x.set(i, random.normal()), y.set(i % 32, y.at(i % 32) + x.at(i));
    Tape tape;
    Gradients gradients;
    const Var loss = mean(square(head(net({tape.constant(x), &layout}).last) - tape.constant(y)));
    tape.backward(loss, gradients);
    adam.step(gradients);
    (step == 0 ? first : last) = loss.item();
  }
  std::printf("mean squared error %.3f, then %.3f\n", first, last);
  return last < 0.1 * first ? 0 : 1;
}
