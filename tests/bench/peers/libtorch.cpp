// LibTorch's side of compare.py: the jobs of contestant.cpp. Debian's libtorch-dev.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace nn = torch::nn;
using torch::Tensor;

namespace {

double seconds(const std::function<void()>& repetition) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  double total = 0;
  for (int i = 0; i < 2; ++i) repetition();
  while (times.size() < 5 || total < 0.5) {
    const auto begin = Clock::now();
    repetition();
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Layer {
  long in, hidden, batch, steps, directions;
  int threads;
};

double measure(const std::function<Tensor()>& outputs, std::vector<Tensor> parameters, bool train) {
  if (!train) {
    const torch::NoGradGuard off;
    return seconds([&] { outputs(); });
  }
  torch::optim::SGD sgd(std::move(parameters), 1e-6);
  return seconds([&] {
    sgd.zero_grad();
    outputs().sum().backward();
    sgd.step();
  });
}

template <class Net, class Options>
double module_seconds(const Layer& job, bool train, const Options& options) {
  Net net(options);
  const Tensor x = torch::randn({job.steps, job.batch, job.in});
  return measure([&] { return std::get<0>(net->forward(x)); }, net->parameters(), train);
}

// An LSTM cell in ordinary tensor operations, as somebody writes one who needs another kind of cell.
double custom_seconds(const Layer& job, bool train) {
  const auto leaf = [](long rows, long cols) { return (torch::randn({rows, cols}) * 0.1).set_requires_grad(true); };
  const Tensor w_ih = leaf(job.in, 4 * job.hidden), w_hh = leaf(job.hidden, 4 * job.hidden),
               bias = torch::zeros({4 * job.hidden}, torch::requires_grad());
  const Tensor x = torch::randn({job.steps, job.batch, job.in});
  return measure(
      [&] {
        const Tensor projected = torch::matmul(x, w_ih) + bias;
        Tensor h = torch::zeros({job.batch, job.hidden}), c = h;
        std::vector<Tensor> states;
        for (long t = 0; t < job.steps; ++t) {
          const auto gates = torch::addmm(projected[t], h, w_hh).chunk(4, 1);
          c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
          h = gates[3].sigmoid() * c.tanh();
          states.push_back(h);
        }
        return torch::stack(states);
      },
      {w_ih, w_hh, bias}, train);
}

double run_layer(bool train, std::istream& words) {
  std::string cell;
  Layer job{};
  words >> cell >> job.in >> job.hidden >> job.batch >> job.steps >> job.directions >> job.threads;
  torch::set_num_threads(job.threads);
  const bool both = job.directions == 2;
  if (cell == "elman")
    return module_seconds<nn::RNN>(job, train, nn::RNNOptions(job.in, job.hidden).bidirectional(both));
  if (cell == "lstm")
    return module_seconds<nn::LSTM>(job, train, nn::LSTMOptions(job.in, job.hidden).bidirectional(both));
  if (cell == "gru")
    return module_seconds<nn::GRU>(job, train, nn::GRUOptions(job.in, job.hidden).bidirectional(both));
  return both ? -1 : custom_seconds(job, train);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    const double time = kind == "train" || kind == "infer" ? run_layer(kind == "train", words) : -1;
    if (time < 0)
      std::cout << "-" << std::endl;
    else
      std::cout << time << std::endl;
  }
}
