#include "autograd/inspect/inspect.h"

#include <cstdio>
#include <fstream>
#include <iostream>

#include "nn/nn.h"
using namespace unroll;

struct Model {
  Bidirectional<Gru> net;
  Head head;
  explicit Model(Generator& random) : net{Gru(8, 16, random), Gru(8, 16, random)}, head(32, 2, random) {}
  Var operator()(Tape& tape, const Layout& layout) const {
    const auto scope = enter(tape, *this, "");
    const Var rows = net({tape.full({layout.rows(), 8}, 0.5), &layout}).outputs.rows;
    return mean(square(head(rows)));
  }
  void members(Members& m) { m("net", net), m("head", head); }
};

int main() {
  Generator random(1);
  Model model(random);
  const Layout layout = Layout::uniform(4, 20);
  Tape tape;
  Gradients gradients;

  const inspect::Forecast forecast = inspect::forecast([&](Tape& dry) { return model(dry, layout); });
  std::printf("%zu bytes at most\n", forecast.peak.at.bytes);

  inspect::Recorder recorder(tape, {.spans = true});
  tape.backward(model(tape, layout), gradients);

  // A line for each operation, of some of them; and a picture: dot -Tsvg net.dot -o net.svg
  std::cout << inspect::Listing(tape).in("net.reverse").at_steps(3, 5).of_op("matmul");
  std::ofstream("net.dot") << to_dot(inspect::graph_of(tape));

  std::cout << to_string(recorder.profile());       // time and arithmetic by op and module
  std::cout << to_string(recorder.memory());        // what is alive at the peak
  const auto time = by_module(recorder.profile());  // each module with what is in it
  std::printf("%.3f ms in net\n", time.at("net").ns / 1e6);
  std::ofstream trace("step.json");  // for https://ui.perfetto.dev
  write_trace(recorder.profile(), trace);

  for (const inspect::Recurrence& r : recorder.flow().recurrences())
    std::printf("%s at step 0: %g\n", r.path.c_str(), r.fields[0].gradient[0].norm);

  return recorder.memory().peak().at.bytes == forecast.peak.at.bytes ? 0 : 1;
}
