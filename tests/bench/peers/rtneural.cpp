// RTNeural's side of compare.py: "stream" only. Its sizes are fixed at compile time, so these are all.
//
//   g++ -std=c++20 -O3 -march=native -DNDEBUG -DRTNEURAL_USE_EIGEN=1 -DEIGEN_STACK_ALLOCATION_LIMIT=1000000 \
//       -I . -I RTNeural -I RTNeural/RTNeural -I /usr/include/eigen3 tests/bench/peers/rtneural.cpp -o
//       BUILD/tests/rtneural
#include <RTNeural/RTNeural.h>

#include <cmath>
#include <memory>

#include "tests/bench/contestant.h"

using bench::Job;

namespace {

std::vector<std::vector<float>> numbers(int rows, int cols) {
  std::vector<std::vector<float>> all(static_cast<std::size_t>(rows));
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c)
      all[static_cast<std::size_t>(r)].push_back(0.3f * std::sin(static_cast<float>(r * cols + c)));
  return all;
}

template <int in, int hidden>
using Lstm = RTNeural::ModelT<float, in, hidden, RTNeural::LSTMLayerT<float, in, hidden>>;
template <int in, int hidden>
using Gru = RTNeural::ModelT<float, in, hidden, RTNeural::GRULayerT<float, in, hidden>>;

template <class Model>
Job job(int in, int hidden, int gates) {
  struct State {
    Model model;
    alignas(64) float x[128];
  };
  const auto state = std::make_shared<State>();
  std::fill_n(state->x, in, 0.1f);
  auto& layer = state->model.template get<0>();
  layer.setWVals(numbers(in, gates * hidden));
  layer.setUVals(numbers(hidden, gates * hidden));
  if constexpr (requires { layer.setBVals(std::vector<float>()); })
    layer.setBVals(std::vector<float>(static_cast<std::size_t>(gates * hidden)));
  else
    layer.setBVals(numbers(2, gates * hidden));
  state->model.reset();
  constexpr int steps = 16;
  return {[state] {
            for (int i = 0; i < steps; ++i) {
              state->model.forward(state->x);
              state->x[0] = 0.3f + 0.5f * state->model.getOutputs()[0];
            }
          },
          steps};
}

std::optional<Job> stream(const std::string& sizes) {
  if (sizes == "lstm 1 32 1") return job<Lstm<1, 32>>(1, 32, 4);
  if (sizes == "lstm 1 64 1") return job<Lstm<1, 64>>(1, 64, 4);
  if (sizes == "lstm 64 128 1") return job<Lstm<64, 128>>(64, 128, 4);
  if (sizes == "gru 1 32 1") return job<Gru<1, 32>>(1, 32, 3);
  if (sizes == "gru 1 64 1") return job<Gru<1, 64>>(1, 64, 3);
  if (sizes == "gru 64 128 1") return job<Gru<64, 128>>(64, 128, 3);
  return {};
}

}  // namespace

int main() {
  bench::serve([](std::istringstream&& words) -> std::optional<Job> {
    std::string kind, sizes;
    words >> kind >> std::ws;
    std::getline(words, sizes);
    return kind == "stream" ? stream(sizes) : std::nullopt;
  });
}
