#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "autograd/inspect/page/report.h"
#include "nn/nn.h"
using namespace unroll;

constexpr Index kSteps = 100, kBatch = 32;

// The first of 100 steps says +1 or -1, the others bring noise. After the last one the net is asked which.
struct Batch {
  std::vector<float> numbers, answers;
  explicit Batch(Generator& random) : numbers(kSteps * kBatch) {
    for (float& x : numbers) x = static_cast<float>(0.1 * random.normal());
    for (std::size_t b = 0; b < kBatch; ++b) {
      answers.push_back(static_cast<float>(random.below(2)));
      numbers[b] = 2 * answers[b] - 1;
    }
  }
};

struct Model {
  Gru cell;
  Linear head;
  explicit Model(Generator& random) : cell(1, 32, random), head(32, 1, random) {}
  Var logits(Tape& tape, const Batch& batch, const Layout& layout) const {
    const auto scope = enter(tape, *this, "");
    return head(scan(cell, {tape.constant(Shape{kSteps * kBatch, 1}, batch.numbers), &layout}).last);
  }
  void members(Members& m) { m("cell", cell), m("head", head); }
};

// Learns from 300 batches; how many of the last 10 it answered correctly, in percent.
double train(Model& model, Generator random) {
  Optimiser adam(parameters(model), Adam{.learning_rate = 0.005});
  const Layout layout = Layout::uniform(kBatch, kSteps);
  Tape tape;
  Gradients gradients;
  int right = 0;
  for (int step = 0; step < 300; ++step) {
    const Batch batch(random);
    const Var logits = model.logits(tape, batch, layout);
    if (step >= 290)
      for (Index b = 0; b < kBatch; ++b)
        right += (logits.tensor().at(b) > 0) == (batch.answers[static_cast<std::size_t>(b)] > 0.5f);
    tape.backward(binary_cross_entropy(logits, tape.constant(Shape{kBatch, 1}, batch.answers)), gradients);
    adam.step(gradients);
    gradients.clear();
    tape.clear();
  }
  return 100.0 * right / (10 * kBatch);
}

// One batch under watch.
nlohmann::json look(Model& model, Generator random, const std::string& page) {
  const Layout layout = Layout::uniform(kBatch, kSteps);
  const Batch batch(random);
  Tape tape;
  Gradients gradients;
  inspect::Recorder recorder(tape, {.jacobians = true});
  const Var logits = model.logits(tape, batch, layout);
  const Var loss = binary_cross_entropy(logits, tape.constant(Shape{kBatch, 1}, batch.answers));
  tape.backward(loss, gradients);
  const inspect::About about{.title = page, .parameters = parameters(model), .gradients = &gradients};
  recorder.report(page, about);
  return recorder.report_of(about);
}

void print(const char* when, double right, const nlohmann::json& report) {
  std::printf("%s\n  %.1f %% right\n", when, right);
  for (const auto& line : report["findings"]) std::printf("  %s\n", line.get<std::string>().c_str());
}

// Takes the answers for counts, with the Poisson loss by hand, and learns far too fast. Returns
// where that is no longer a number.
std::optional<inspect::Origin> diverge(Model model, Generator random) {
  Optimiser adam(parameters(model), Adam{.learning_rate = 300});
  const Layout layout = Layout::uniform(kBatch, kSteps);
  Tape tape;
  Gradients gradients;
  for (int step = 0; step < 100; ++step) {
    const Batch batch(random);
    double value = 0;
    const auto pass = [&] {
      const Var counts = tape.constant(Shape{kBatch, 1}, batch.answers);
      const Var rate = model.logits(tape, batch, layout);  // its logarithm
      const Var loss = mean(exp(rate) - counts * rate);
      value = loss.item();
      tape.backward(loss, gradients);
    };
    pass();
    if (!std::isfinite(value)) {
      tape.clear();
      gradients.clear();
      return inspect::find_origin(tape, pass);
    }
    adam.step(gradients);
    gradients.clear();
    tape.clear();
  }
  return {};
}

int main() {
  Generator random(1);
  Model first(random);
  const double before = train(first, random.split());
  const auto trouble = look(first, random.split(), "trouble.html");
  print("as it is", before, trouble);

  Model second(random);
  initialise::constant(gate(second.cell.bias, 1, 3), std::log(kSteps - 1.0));  // of the update gate z
  const double after = train(second, random.split());
  const auto mended = look(second, random.split(), "mended.html");
  print("with an update gate that keeps", after, mended);

  const Model third(random);
  const auto origin = diverge(third, random.split());
  std::printf("%s\n", origin ? origin->describe().c_str() : "finite");
}
