// LibTorch's side of compare.py: the jobs of ../contestant.cpp that are layers or streams. Debian's
// libtorch-dev.
#include <torch/torch.h>

#include "tests/bench/contestant.h"

namespace nn = torch::nn;
using bench::Job;
using torch::Tensor;

namespace {

struct LayerSizes {
  long in, hidden, batch, steps, directions;
  int threads;
};

Job layer_job(std::function<Tensor()> outputs, std::vector<Tensor> parameters, bool train) {
  if (!train)
    return {[=] {
      const torch::NoGradGuard off;
      outputs();
    }};
  const auto sgd = std::make_shared<torch::optim::SGD>(std::move(parameters), 1e-6);
  return {[=] {
    sgd->zero_grad();
    outputs().sum().backward();
    sgd->step();
  }};
}

template <class Net, class Options>
Job module_job(const LayerSizes& sizes, bool train, const Options& options) {
  Net net(options);
  const Tensor x = torch::randn({sizes.steps, sizes.batch, sizes.in});
  return layer_job([=]() mutable { return std::get<0>(net->forward(x)); }, net->parameters(), train);
}

// An LSTM cell in ordinary tensor operations, as somebody writes one who needs another kind of cell.
Job custom_job(const LayerSizes& sizes, bool train) {
  const auto leaf = [](long rows, long cols) {
    return (torch::randn({rows, cols}) * 0.1).set_requires_grad(true);
  };
  const Tensor w_ih = leaf(sizes.in, 4 * sizes.hidden), w_hh = leaf(sizes.hidden, 4 * sizes.hidden),
               bias = torch::zeros({4 * sizes.hidden}, torch::requires_grad());
  const Tensor x = torch::randn({sizes.steps, sizes.batch, sizes.in});
  return layer_job(
      [=] {
        const auto projected = (torch::matmul(x, w_ih) + bias).unbind(0);
        Tensor h = torch::zeros({sizes.batch, sizes.hidden}), c = h;
        std::vector<Tensor> states;
        for (const Tensor& step : projected) {
          const auto gates = torch::addmm(step, h, w_hh).chunk(4, 1);
          c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
          h = gates[3].sigmoid() * c.tanh();
          states.push_back(h);
        }
        return torch::stack(states);
      },
      {w_ih, w_hh, bias}, train);
}

std::optional<Job> layer(bool train, std::istream& words) {
  std::string cell;
  LayerSizes sizes{};
  words >> cell >> sizes.in >> sizes.hidden >> sizes.batch >> sizes.steps >> sizes.directions >>
      sizes.threads;
  const bool both = sizes.directions == 2;
  const auto threaded = [&](const Job& job) -> Job {
    return {[run = job.run, threads = sizes.threads] {
      torch::set_num_threads(threads);
      run();
    }};
  };
  if (cell == "elman")
    return threaded(
        module_job<nn::RNN>(sizes, train, nn::RNNOptions(sizes.in, sizes.hidden).bidirectional(both)));
  if (cell == "lstm")
    return threaded(
        module_job<nn::LSTM>(sizes, train, nn::LSTMOptions(sizes.in, sizes.hidden).bidirectional(both)));
  if (cell == "gru")
    return threaded(
        module_job<nn::GRU>(sizes, train, nn::GRUOptions(sizes.in, sizes.hidden).bidirectional(both)));
  if (cell == "custom" && !both) return threaded(custom_job(sizes, train));
  return {};
}

// A step that waits for the one before.
std::optional<Job> stream(std::istream& words) {
  std::string cell;
  long in, hidden;
  int threads;
  words >> cell >> in >> hidden >> threads;
  if (threads > 1) return {};
  const Tensor x = torch::full({1, in}, 0.1f), h = torch::zeros({1, hidden}), c = h.clone();
  const auto job = [x](auto step) {
    return Job{[=]() mutable {
      torch::set_num_threads(1);
      const torch::NoGradGuard off;
      x.data_ptr<float>()[0] = 0.3f + 0.5f * step().template data_ptr<float>()[0];
    }};
  };
  if (cell == "lstm")
    return job([=, net = nn::LSTMCell(in, hidden), state = std::make_tuple(h, c)]() mutable {
      state = net->forward(x, state);
      return std::get<0>(state);
    });
  if (cell == "gru")
    return job(
        [=, net = nn::GRUCell(in, hidden), state = h]() mutable { return state = net->forward(x, state); });
  return {};
}

}  // namespace

int main() {
  bench::serve([](std::istringstream&& words) -> std::optional<Job> {
    std::string kind;
    words >> kind;
    if (kind == "train" || kind == "infer") return layer(kind == "train", words);
    if (kind == "stream") return stream(words);
    return {};
  });
}
