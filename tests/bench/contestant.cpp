// Our side of compare.py. The jobs of all contestants:
//
//   train|infer elman|lstm|gru|custom IN HIDDEN BATCH STEPS DIRECTIONS THREADS
//   stream elman|lstm|gru IN HIDDEN THREADS          a step with batch 1, which waits for the one before
//   words LAYERS HIDDEN BATCH STEPS VOCABULARY THREADS   a step of a language model of LSTM layers
//   texts FILE THREADS                               a batch of the classifier of `unroll demo`
//   loss ROWS HIDDEN VOCABULARY THREADS              a linear layer and its cross entropy
//
// "train" is forward, backward from the sum of all outputs, and a step of SGD; "custom" an LSTM as a user
// writes it. "texts" writes an epoch of batches to FILE, where the others find them: a line for each text,
// its class and its tokens, and an empty line behind each batch.
#include "tests/bench/contestant.h"

#include <fmt/format.h>

#include <memory>

#include "models/data/batches.h"
#include "models/data/text.h"
#include "models/data/wordnet.h"
#include "models/tasks/classify/task.h"
#include "models/training/workers.h"
#include "nn/nn.h"
#include "tests/nn/users_lstm.h"

using namespace unroll;
using bench::Job;
using models::share_of;

namespace {

Tensor noise(const Shape& shape, Generator& random) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x.set(i, random.normal());
  return x;
}

std::vector<int> ids(Index count, Index below, Generator& random) {
  std::vector<int> result(static_cast<std::size_t>(count));
  for (int& id : result) id = static_cast<int>(random.below(static_cast<std::uint64_t>(below)));
  return result;
}

std::size_t position(const Worker& w) { return static_cast<std::size_t>(w.index); }

// -- One layer on each worker's share of the batch; threads without a share help.

struct LayerSizes {
  Index in, hidden, batch, steps, directions;
  int threads;
};

template <class Net>
class LayerPass {
 public:
  LayerPass(Net net, const LayerSizes& sizes)
      : net_(std::move(net)),
        workers_(sizes.threads),
        pieces_(static_cast<int>(std::min<Index>(sizes.threads, sizes.batch))) {
    Generator random(2);
    for (int i = 0; i < pieces_; ++i) {
      const Index rows = share_of(sizes.batch, i, pieces_).size();
      inputs_.push_back(noise({sizes.steps * rows, sizes.in}, random));
      layouts_.push_back(Layout::uniform(rows, sizes.steps));
    }
    sgd_.add(parameters(net_), Sgd{.learning_rate = 1e-6});
  }
  void infer() {
    workers_.each(
        [&](Worker& w) {
          const auto silence = w.tape.no_gradient();
          outputs(w);
        },
        pieces_);
  }
  void train() {
    sgd_.step(workers_.run([&](Worker& w) { w.tape.backward(sum(outputs(w)), w.gradients); }, pieces_));
  }

 private:
  Var outputs(Worker& w) {
    return net_({w.tape.borrow(inputs_[position(w)]), &layouts_[position(w)]}).outputs.rows;
  }

  Net net_;
  Workers workers_;
  int pieces_;
  std::vector<Tensor> inputs_;
  std::vector<Layout> layouts_;
  Optimiser sgd_;
};

template <class Net>
Job layer_job(Net net, const LayerSizes& sizes, bool train) {
  const auto pass = std::make_shared<LayerPass<Net>>(std::move(net), sizes);
  if (train) return {[pass] { pass->train(); }};
  return {[pass] { pass->infer(); }};
}

template <class C>
Job cell_job(const LayerSizes& sizes, bool train) {
  Generator random(1);
  auto cell = [&] { return C(sizes.in, sizes.hidden, random); };
  if (sizes.directions == 1) return layer_job(Unidirectional<C>{cell()}, sizes, train);
  return layer_job(Bidirectional<C>{cell(), cell()}, sizes, train);
}

std::optional<Job> layer(bool train, std::istream& words) {
  std::string cell;
  LayerSizes sizes{};
  words >> cell >> sizes.in >> sizes.hidden >> sizes.batch >> sizes.steps >> sizes.directions >>
      sizes.threads;
  if (cell == "elman") return cell_job<Elman>(sizes, train);
  if (cell == "lstm") return cell_job<Lstm>(sizes, train);
  if (cell == "gru") return cell_job<Gru>(sizes, train);
  if (cell == "custom") return cell_job<UsersLstm>(sizes, train);
  return {};
}

// -- Steps of a stream.

template <class C>
struct Stream {
  Generator random{1};
  C cell;
  Stepper stepper;
  std::vector<float> x;

  Stream(Index in, Index hidden)
      : cell(in, hidden, random), stepper(cell, in), x(static_cast<std::size_t>(in), 0.1f) {}
  void step() { x[0] = 0.3f + 0.5f * stepper.step<float>(x)[0]; }
};

template <class C>
Job stream_job(Index in, Index hidden) {
  const auto stream = std::make_shared<Stream<C>>(in, hidden);
  constexpr int steps = 16;
  return {[stream] {
            for (int i = 0; i < steps; ++i) stream->step();
          },
          steps};
}

std::optional<Job> stream(std::istream& words) {
  std::string cell;
  Index in, hidden;
  int threads;
  words >> cell >> in >> hidden >> threads;
  if (threads > 1) return {};
  if (cell == "elman") return stream_job<Elman>(in, hidden);
  if (cell == "lstm") return stream_job<Lstm>(in, hidden);
  if (cell == "gru") return stream_job<Gru>(in, hidden);
  return {};
}

// -- Zaremba's "small": no dropout, clipping, SGD, state carried along.

struct WordNet {
  Embedding words;
  Stack<Unidirectional<Lstm>> net;
  Linear output;
  WordNet(Index layers, Index hidden, Index vocabulary, Generator& random)
      : words(vocabulary, hidden, random), output(hidden, vocabulary, random) {
    for (Index i = 0; i < layers; ++i) net.layers.push_back({Lstm(hidden, hidden, random)});
  }
  void members(Members& m) { m("words", words), m("net", net), m("output", output); }
};

class WordPass {
 public:
  WordPass(Index layers, Index hidden, Index batch, Index steps, Index vocabulary, int threads)
      : model_(layers, hidden, vocabulary, random_),
        batch_(batch),
        steps_(steps),
        vocabulary_(vocabulary),
        workers_(threads),
        sgd_(parameters(model_), Sgd{.learning_rate = 1e-3}),
        carries_(static_cast<std::size_t>(threads)) {
    for (int i = 0; i < threads; ++i)
      layouts_.push_back(Layout::uniform(share_of(batch, i, threads).size(), steps));
  }
  void run() {
    const std::vector<int> inputs = ids(batch_ * steps_, vocabulary_, random_),
                           targets = ids(batch_ * steps_, vocabulary_, random_);
    Gradients& gradients = workers_.run([&](Worker& w) {
      const Layout& layout = layouts_[position(w)];
      const auto from = static_cast<std::size_t>(share_of(batch_, w.index, workers_.size()).begin * steps_);
      const auto count = static_cast<std::size_t>(layout.rows());
      const Var xs = model_.words(w.tape, std::span(inputs).subspan(from, count));
      const Var rows = model_.net({xs, &layout}, carries_[position(w)]).outputs.rows;
      const Var loss = linear_cross_entropy(rows, model_.output.weight, model_.output.bias,
                                            std::span(targets).subspan(from, count));
      w.tape.backward(loss * (static_cast<double>(count) / static_cast<double>(batch_)), w.gradients);
    });
    clip_by_global_norm(gradients, 5);
    sgd_.step(gradients);
  }

 private:
  Generator random_{1};
  WordNet model_;
  Index batch_, steps_, vocabulary_;
  Workers workers_;
  Optimiser sgd_;
  std::vector<Layout> layouts_;
  std::vector<Carry> carries_;
};

std::optional<Job> words_step(std::istream& words) {
  Index layers, hidden, batch, steps, vocabulary;
  int threads;
  words >> layers >> hidden >> batch >> steps >> vocabulary >> threads;
  const auto pass = std::make_shared<WordPass>(layers, hidden, batch, steps, vocabulary, threads);
  return Job{[pass] { pass->run(); }};
}

// -- The classifier of the quickstart, in the same batches for everybody.

models::LabelledSequences definitions(models::Vocabulary& vocabulary) {
  const auto split = models::split_definitions(models::read_noun_definitions());
  std::vector<std::vector<std::string>> texts;
  models::TokenCounts counts;
  for (const models::Definition& d : split.training) {
    texts.push_back(models::split_words(d.text));
    for (const std::string& word : texts.back()) counts.add(word);
  }
  vocabulary = models::Vocabulary(counts, "<unknown>", {.min_count = 2});
  models::LabelledSequences data;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto& tokens = data.texts.emplace_back();
    for (const std::string& word : texts[i]) tokens.push_back(vocabulary.id(word));
    data.labels.push_back({split.training[i].noun_class});
  }
  return data;
}

class TextPass {
 public:
  static constexpr int kBatches = 16;  // in one call

  TextPass(const std::string& file, int threads)
      : data_(definitions(vocabulary_)), classifier_(make()), workers_(threads) {
    Generator order(1);
    batches_ = task_.begin_epoch(order);
    for (int i = 0; i < threads; ++i) noise_.push_back(order.split());
    adam_.add(parameters(classifier_), Adam{.learning_rate = 3e-3});
    Generator again(1);
    std::ofstream out(file);
    for (const auto& batch : models::shuffled_batches(data_.lengths(), {kSequences, 0}, again)) {
      for (const int i : batch) {
        const auto at = static_cast<std::size_t>(i);
        out << data_.labels[at][0];
        for (const int id : data_.texts[at]) out << ' ' << id;
        out << '\n';
      }
      out << '\n';
    }
  }
  void run() {
    for (int b = 0; b < kBatches; ++b) {
      Gradients& gradients = workers_.run([&](Worker& w) {
        task_.learn(next_, {w.index, workers_.size()}, w, noise_[position(w)]);
      });
      clip_by_global_norm(gradients, 5);
      adam_.step(gradients);
      next_ = (next_ + 1) % batches_;
    }
  }

 private:
  static constexpr Index kSequences = 64;

  models::SavedClassifier make() {
    models::LabelSet labels;
    for (int i = 0; i < models::kNounClasses; ++i) labels.add(models::noun_class_name(i));
    Generator random(1);
    return {{{}, labels, {.level = models::Level::word, .punctuation = true}, vocabulary_, {}}, random};
  }

  models::Vocabulary vocabulary_;
  models::LabelledSequences data_, none_;
  models::SavedClassifier classifier_;
  Workers workers_;
  models::ClassificationTask task_{classifier_, data_, none_, {.batch = kSequences}};
  Optimiser adam_;
  std::vector<Generator> noise_;
  Index batches_ = 0, next_ = 0;
};

std::optional<Job> texts(std::istream& words) {
  std::string file;
  int threads;
  words >> file >> threads;
  const auto pass = std::make_shared<TextPass>(file, threads);
  return Job{[pass] { pass->run(); }, TextPass::kBatches};
}

// -- A loss over a large vocabulary.

struct LossPass {
  Generator random{1};
  Linear output;
  Tensor rows;
  std::vector<int> targets;
  Tape tape;
  Gradients gradients;

  LossPass(Index count, Index hidden, Index vocabulary)
      : output(hidden, vocabulary, random),
        rows(noise({count, hidden}, random)),
        targets(ids(count, vocabulary, random)) {}
  void run() {
    tape.clear();
    gradients.clear();
    tape.backward(linear_cross_entropy(tape.variable(rows), output.weight, output.bias, targets), gradients);
  }
};

std::optional<Job> loss(std::istream& words) {
  Index rows, hidden, vocabulary;
  int threads;
  words >> rows >> hidden >> vocabulary >> threads;
  if (threads > 1) return {};
  const auto pass = std::make_shared<LossPass>(rows, hidden, vocabulary);
  return Job{[pass] { pass->run(); }};
}

}  // namespace

int main() {
  bench::serve([](std::istringstream&& words) -> std::optional<Job> {
    std::string kind;
    words >> kind;
    if (kind == "train" || kind == "infer") return layer(kind == "train", words);
    if (kind == "stream") return stream(words);
    if (kind == "words") return words_step(words);
    if (kind == "texts") return texts(words);
    if (kind == "loss") return loss(words);
    return {};
  });
}
