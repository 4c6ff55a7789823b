#include <cstdio>

#include "nn/nn.h"
using namespace unroll;

struct Model {  // reads 12 digits: is the first larger than the last?
  Embedding digits;
  Bidirectional<Gru> net;
  Pooling pool;
  Head head;
  explicit Model(Generator& g)
      : digits(10, 16, g), net{Gru(16, 32, g), Gru(16, 32, g)}, pool(Pool::last, 64, g), head(64, 2, g) {}
  Var operator()(Tape& tape, std::span<const int> ids, const Layout& layout) const {
    return head(pool(net({digits(tape, ids), &layout})));
  }
  void members(Members& m) { m("digits", digits), m("net", net), m("pool", pool), m("head", head); }
};

int main() {
  Generator random(1);
  Model model(random);
  Optimiser adam(parameters(model), Adam{.learning_rate = 0.01});
  const Layout layout = Layout::uniform(64, 12);  // 64 sequences of 12 steps, time-major
  Tape tape;
  Gradients gradients;
  double loss = 0;
  for (int step = 0; step <= 400; ++step) {
    std::vector<int> ids(12 * 64), labels(64);
    for (int& id : ids) id = static_cast<int>(random.below(10));
    for (std::size_t b = 0; b < 64; ++b) labels[b] = ids[b] > ids[11 * 64 + b];
    Var mean_loss = cross_entropy(model(tape, ids, layout), labels);
    loss = mean_loss.item();
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", step, loss);
    tape.backward(mean_loss, gradients);
    adam.step(gradients);
    gradients.clear();
    tape.clear();
  }
  return loss < 0.1 ? 0 : 1;
}
