// Our side of compare.py: reads jobs from standard input, a line each, and answers each with the median of
// the seconds that one repetition took.
//
//   train|infer  elman|lstm|gru|custom  IN HIDDEN BATCH STEPS DIRECTIONS THREADS
//   words  2  HIDDEN BATCH STEPS VOCABULARY THREADS         a step of a language model of two LSTM layers
//   texts  gru  IN HIDDEN BATCH CLASSES VOCABULARY THREADS  a step of a bidirectional classifier of ragged
//   texts
//
// "train" is forward, backward from the sum of all outputs, and a step of SGD.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <sstream>
#include <vector>

#include "models/classifier.h"
#include "models/parallel.h"
#include "nn/nn.h"

using namespace unroll;
using models::share_of;

namespace {

// What a user would write for an LSTM.
struct CustomLstm {
  Linear input;
  Parameter w;
  struct State {
    Var h, c;
  };
  CustomLstm(Index in, Index hidden, Generator& random)
      : input(in, 4 * hidden, random), w("w", {hidden, 4 * hidden}) {
    initialise::glorot_uniform(w, random);
  }
  Var project(Var xs) const { return input(xs); }
  State step(Projected x, State s) const {
    const auto [i, f, g, o] = split<4>(x.add(s.h, w));
    const auto [h, c] = pointwise(
        "user's lstm",
        [](auto i, auto f, auto g, auto o, auto c) {
          auto next = sigmoid(f) * c + sigmoid(i) * tanh(g);
          return std::tuple{sigmoid(o) * tanh(next), next};
        },
        i, f, g, o, s.c);
    return {h, c};
  }
  State initial(Tape& tape, Index batch) const {
    const Var zero = tape.zeros({batch, w.shape()[0]});
    return {zero, zero};
  }
  void members(Members& m) { m("input", input), m("w", w); }
};

Tensor noise(const Shape& shape, Generator& random) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x.set(i, random.normal());
  return x;
}

// Seconds of the median repetition, of at least 5 and at least half a second of them, after two to warm up.
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
  Index in, hidden, batch, steps, directions;
  int threads;
};

// One layer on each worker's share of the batch.
template <class Net>
double layer_seconds(Net net, const Layer& job, bool train) {
  Generator random(2);
  Workers workers(static_cast<int>(std::min<Index>(job.threads, job.batch)));
  std::vector<Tensor> inputs;
  std::vector<Layout> layouts;
  for (int i = 0; i < workers.size(); ++i) {
    const Index rows = share_of(job.batch, i, workers.size()).size();
    inputs.push_back(noise({job.steps * rows, job.in}, random));
    layouts.push_back(Layout::uniform(rows, job.steps));
  }
  Optimiser sgd(parameters(net), Sgd{.learning_rate = 1e-6});
  auto outputs = [&](Worker& w) {
    const auto i = static_cast<std::size_t>(w.index);
    return net({w.tape.constant(inputs[i]), &layouts[i]}).outputs.rows;
  };
  if (!train) return seconds([&] { workers.each([&](Worker& w) { outputs(w); }); });
  return seconds(
      [&] { sgd.step(workers.run([&](Worker& w) { w.tape.backward(sum(outputs(w)), w.gradients); })); });
}

template <class C, class... Options>
double cell_seconds(const Layer& job, bool train, const Options&... options) {
  Generator random(1);
  if (job.directions == 1)
    return layer_seconds(Unidirectional<C>{C(job.in, job.hidden, random, options...)}, job, train);
  return layer_seconds(
      Bidirectional<C>{C(job.in, job.hidden, random, options...), C(job.in, job.hidden, random, options...)},
      job, train);
}

double run_layer(bool train, std::istream& words) {
  std::string cell;
  Layer job{};
  words >> cell >> job.in >> job.hidden >> job.batch >> job.steps >> job.directions >> job.threads;
  if (cell == "elman") return cell_seconds<Elman>(job, train);
  if (cell == "lstm") return cell_seconds<Lstm>(job, train);
  if (cell == "gru") return cell_seconds<Gru>(job, train);
  return cell_seconds<CustomLstm>(job, train);
}

std::vector<int> ids(Index count, Index below, Generator& random) {
  std::vector<int> result(static_cast<std::size_t>(count));
  for (int& id : result) id = static_cast<int>(random.below(static_cast<std::uint64_t>(below)));
  return result;
}

// Zaremba's "small": no dropout, clipping, SGD, state carried along.
struct WordModel {
  Embedding words;
  Stack<Unidirectional<Lstm>> net;
  Linear output;
  WordModel(Index hidden, Index vocabulary, Generator& random)
      : words(vocabulary, hidden, random), output(hidden, vocabulary, random) {
    for (int i = 0; i < 2; ++i) net.layers.push_back({Lstm(hidden, hidden, random)});
  }
  void members(Members& m) { m("words", words), m("net", net), m("output", output); }
};

double run_words(std::istream& in) {
  Index layers, hidden, batch, steps, vocabulary;
  int threads;
  in >> layers >> hidden >> batch >> steps >> vocabulary >> threads;
  Generator random(1);
  WordModel model(hidden, vocabulary, random);
  Workers workers(threads);
  Optimiser sgd(parameters(model), Sgd{.learning_rate = 1e-3});
  std::vector<Layout> layouts;
  std::vector<Carry> carries(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i)
    layouts.push_back(Layout::uniform(share_of(batch, i, threads).size(), steps));
  return seconds([&] {
    const std::vector<int> inputs = ids(batch * steps, vocabulary, random),
                           targets = ids(batch * steps, vocabulary, random);
    Gradients& gradients = workers.run([&](Worker& w) {
      const auto i = static_cast<std::size_t>(w.index);
      const auto from = static_cast<std::size_t>(share_of(batch, w.index, threads).begin * steps);
      const auto count = static_cast<std::size_t>(layouts[i].rows());
      const Var xs = model.words(w.tape, std::span(inputs).subspan(from, count));
      const Var rows = model.net({xs, &layouts[i]}, carries[i]).outputs.rows;
      const Var loss = linear_cross_entropy(rows, model.output.weight, model.output.bias,
                                            std::span(targets).subspan(from, count));
      w.tape.backward(loss * (static_cast<double>(count) / static_cast<double>(batch)), w.gradients);
    });
    clip_by_global_norm(gradients, 5);
    sgd.step(gradients);
  });
}

// Lengths as of definitions: 3 to 19 words, 11 in the mean; compare.py's peers use the same formula.
std::vector<int> lengths_of_texts(Index count) {
  std::vector<int> lengths;
  for (Index i = 0; i < count; ++i) lengths.push_back(static_cast<int>(3 + i * 7919 % 17));
  return lengths;
}

double run_texts(std::istream& in) {
  std::string cell;
  Index embedding, hidden, batch, classes, vocabulary;
  int threads;
  in >> cell >> embedding >> hidden >> batch >> classes >> vocabulary >> threads;
  Generator random(1);
  TextClassifier model(
      vocabulary, {.classes = classes, .embedding = embedding, .hidden = hidden, .dropout = 0.4}, random);
  Optimiser adam(parameters(model), Adam{});
  Workers workers(threads);
  const std::vector<int> lengths = lengths_of_texts(batch);
  std::vector<Layout> layouts;
  for (int i = 0; i < threads; ++i) {
    const auto share = share_of(batch, i, threads);
    layouts.emplace_back(std::span(lengths).subspan(static_cast<std::size_t>(share.begin),
                                                    static_cast<std::size_t>(share.size())));
  }
  std::vector<Generator> drops;
  for (int i = 0; i < threads; ++i) drops.emplace_back(static_cast<std::uint64_t>(i));
  return seconds([&] {
    std::vector<std::vector<int>> texts, labels;
    for (const Layout& layout : layouts) {
      texts.push_back(ids(layout.rows(), vocabulary, random));
      labels.push_back(ids(layout.batch(), classes, random));
    }
    adam.step(workers.run([&](Worker& w) {
      const auto i = static_cast<std::size_t>(w.index);
      const Var logits = model(w.tape, texts[i], layouts[i], &drops[i]);
      w.tape.backward(cross_entropy(logits, labels[i]), w.gradients);
    }));
  });
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    const double time = kind == "words"   ? run_words(words)
                        : kind == "texts" ? run_texts(words)
                                          : run_layer(kind == "train", words);
    fmt::print("{:.9f}\n", time);
    std::fflush(stdout);
  }
}
