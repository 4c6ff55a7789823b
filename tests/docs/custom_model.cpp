#include <cmath>
#include <cstdio>

#include "models/training/training.h"
#include "nn/nn.h"
using namespace unroll;

// Our cell: leaky integrators that learn their own time constants. h' = h + s(l) (tanh(x W + h U) - h)
struct Leaky {
  Linear input;
  Parameter recurrent, leak;
  Leaky(Index in, Index hidden, Generator& g)
      : input(in, hidden, g), recurrent("recurrent", {hidden, hidden}), leak("leak", {hidden}) {
    initialise::orthogonal(recurrent, g);
  }
  Var project(Var xs) const { return input(xs); }
  Var step(Projected x, Var h) const {
    auto leaky = [](auto a, auto h, auto l) { return h + sigmoid(l) * (tanh(a) - h); };
    return pointwise("leaky", leaky, x.add(h, recurrent), h, leak);
  }
  Var initial(Tape& tape, Index batch) const { return tape.zeros({batch, leak.shape()[0]}); }
  void members(Members& m) { m("input", input), m("recurrent", recurrent), m("leak", leak); }
};

// Our head: the 10 %, 50 % and 90 % quantiles of what comes next, by pinball loss (Koenker and Bassett 1978).
Var pinball(Var quantiles, Var truth) {
  const Var levels = quantiles.tape().constant(Shape{1, 3}, std::vector<float>{0.1f, 0.5f, 0.9f});
  auto loss = [](auto q, auto y, auto p) { return max(p * (y - q), (p - 1.0) * (y - q)); };
  return mean(pointwise("pinball", loss, quantiles, truth, levels));
}

struct Model {
  Unidirectional<Leaky> net;
  Linear head;
  Var operator()(Var rows, const Layout& layout) const { return head(net({rows, &layout}).outputs.rows); }
  void members(Members& m) { m("net", net), m("head", head); }
};

// Our data: noise that is loud for a while after a burst. Series of 101 steps lie side by side.
struct Data {
  Index series;
  Layout layout;
  std::vector<float> numbers;
  Data(Index count, std::uint64_t seed) : series(count), layout(Layout::uniform(count, 100)) {
    Generator g(seed);
    std::vector<double> volume(static_cast<std::size_t>(count), 0.1);
    for (int t = 0; t <= 100; ++t)
      for (double& v : volume) {
        v = g.uniform() < 0.05 ? 2 : 0.1 + 0.9 * (v - 0.1);
        numbers.push_back(static_cast<float>(v * g.normal()));
      }
  }
  Var rows(Tape& tape, Index from) const {  // 100 steps
    return tape.constant(Shape{100 * series, 1}, std::span(numbers).subspan(from * series, 100 * series));
  }
};

// What train() needs to know. It brings epochs, threads, early stopping, checkpoints and resuming.
struct Task {
  Model& model;
  const Data& validation;
  Data data{32, 0};
  std::vector<NamedParameter> parameters() { return unroll::parameters(model); }
  models::ModelCard card() const { return {.kind = "quantiles", .configuration = {}, .lists = {}}; }
  const char* unit() const { return "steps"; }
  Index units() const { return 32 * 100; }
  Index begin_epoch(Generator& order) { return data = Data(32, order.next()), 1; }
  Var loss(Tape& tape, const Data& d) const {
    return pinball(model(d.rows(tape, 0), d.layout), d.rows(tape, 1));
  }
  Tally learn(Index, Piece, Worker& worker, Generator&) {
    const Var mean_loss = loss(worker.tape, data);
    worker.tape.backward(mean_loss, worker.gradients);
    return {.loss = mean_loss.item(), .weight = 1, .units = units()};
  }
  std::vector<Measure> validate(Workers& workers) {
    double value = 0;  // measure() gives each piece of work an empty tape that records no gradients
    workers.measure(1, [&](Worker& w, std::size_t) { value = loss(w.tape, validation).item(); });
    return {{.name = "pinball", .value = value}};
  }
};

int main() {
  Generator g(1);
  Model model{{Leaky(1, 32, g)}, Linear(32, 3, g)};
  const Data validation(200, 77), test(200, 78);
  Task task{model, validation};
  Workers one(1);
  train(task, {.epochs = 200, .lr = 5e-3, .schedule = "cosine"}, one,
        {.style = models::Progress::Style::silent});
  Tape tape;
  const auto silent = tape.no_gradient();
  const Tensor quantiles = model(test.rows(tape, 0), test.layout).tensor();
  double inside = 0;
  for (Index i = 0; i < 200 * 100; ++i) {
    const double truth = test.numbers[static_cast<std::size_t>(200 + i)];
    inside += quantiles.at(3 * i) < truth && truth < quantiles.at(3 * i + 2);
  }
  std::printf("%.1f %% of the test lies between its 10 %% and 90 %% quantiles\n", inside / 200);
  return std::abs(inside / 200 - 80) < 4 ? 0 : 1;
}
