#include "models/tasks/language/notes.h"

#include <numeric>

#include "models/data/batches.h"
#include "models/data/digest.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr Index kEvaluationBatch = 32;

std::vector<int> lengths_of(std::span<const KeySteps> pieces) {
  std::vector<int> lengths;
  for (const KeySteps& piece : pieces) lengths.push_back(static_cast<int>(piece.size()) - 1);
  return lengths;
}

// Some pieces as they go through the net: each step but the last, and what comes next.
struct PackedPieces {
  Layout layout;
  std::vector<float> inputs, targets;  // [N, 88]

  explicit PackedPieces(const std::vector<const KeySteps*>& pieces) : layout(lengths(pieces)) {
    const auto size = static_cast<std::size_t>(layout.rows() * kKeys);
    inputs.resize(size);
    targets.resize(size);
    for (std::size_t p = 0; p < pieces.size(); ++p)
      for (std::size_t t = 0; t + 1 < pieces[p]->size(); ++t) {
        const Index row = layout.row(static_cast<Index>(p), static_cast<Index>(t));
        for (const int key : (*pieces[p])[t]) inputs[static_cast<std::size_t>(row * kKeys + key)] = 1;
        for (const int key : (*pieces[p])[t + 1]) targets[static_cast<std::size_t>(row * kKeys + key)] = 1;
      }
  }
  Var keys(Tape& tape, const std::vector<float>& which) const {
    return tape.constant({layout.rows(), kKeys}, which);
  }

 private:
  static std::vector<int> lengths(const std::vector<const KeySteps*>& pieces) {
    std::vector<int> lengths;
    for (const KeySteps* piece : pieces) lengths.push_back(static_cast<int>(piece->size()) - 1);
    return lengths;
  }
};

// Every `stride`-th piece of a batch from `first` on.
std::vector<const KeySteps*> share(std::span<const KeySteps> pieces, std::span<const int> batch, int first,
                                   int stride) {
  std::vector<const KeySteps*> some;
  for (auto i = static_cast<std::size_t>(first); i < batch.size(); i += static_cast<std::size_t>(stride))
    some.push_back(&pieces[static_cast<std::size_t>(batch[i])]);
  return some;
}

Index steps_of(std::span<const KeySteps> pieces) {
  const std::vector<int> lengths = lengths_of(pieces);
  return std::accumulate(lengths.begin(), lengths.end(), Index{0});
}

}  // namespace

NoteModel::NoteModel(const NetOptions& options, Generator& generator)
    : recurrent(kKeys, options, generator),
      output(recurrent.width(), kKeys, generator),
      dropout(options.dropping()) {
  if (options.bidirectional)
    autograd::fail("note model", "a bidirectional net came; needed one that does not see what comes next");
}

Var NoteModel::operator()(Var keys, const Layout& layout, Generator* noise) const {
  const auto scope = enter(keys.tape(), *this, "");
  return output(dropout(recurrent({keys, &layout}, noise), noise).rows);
}

double evaluate(const NoteModel& model, std::span<const KeySteps> pieces, Workers& workers) {
  const auto batches = sorted_batches(lengths_of(pieces), {kEvaluationBatch, 0});
  std::vector<double> losses(batches.size());
  workers.measure(batches.size(), [&](Worker& worker, std::size_t b) {
    const PackedPieces packed(share(pieces, batches[b], 0, 1));
    const Var logits = model(packed.keys(worker.tape, packed.inputs), packed.layout);
    const Var mean =
        ops::binary_cross_entropy(logits, packed.keys(worker.tape, packed.targets), ops::Over::rows);
    losses[b] = mean.item() * static_cast<double>(packed.layout.rows());
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0) /
         static_cast<double>(std::max<Index>(steps_of(pieces), 1));
}

std::vector<Measure> measures(double loss) { return {{.name = "loss", .value = loss}}; }

Index NoteTask::units() const { return steps_of(training_); }

std::uint64_t NoteTask::digest() const { return digest_of(training_, validation_); }

Index NoteTask::begin_epoch(Generator& order) {
  batches_ = shuffled_batches(lengths_of(training_), {batch_, 0}, order);
  return static_cast<Index>(batches_.size());
}

Tally NoteTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int>& all = batches_[static_cast<std::size_t>(batch)];
  const auto some = share(training_, all, piece.index, piece.count);
  if (some.empty()) return {};
  Index steps = 0;
  for (const int i : all) steps += static_cast<Index>(training_[static_cast<std::size_t>(i)].size()) - 1;
  const PackedPieces packed(some);
  const Var logits = saved_.net(packed.keys(worker.tape, packed.inputs), packed.layout, &noise);
  const Var mean =
      ops::binary_cross_entropy(logits, packed.keys(worker.tape, packed.targets), ops::Over::rows);
  const auto rows = static_cast<double>(packed.layout.rows());
  worker.tape.backward(mean * (rows / static_cast<double>(steps)), worker.gradients);
  return {.loss = mean.item() * rows, .weight = rows, .units = packed.layout.rows()};
}

std::vector<Measure> NoteTask::validate(Workers& workers) const {
  return measures(evaluate(saved_.net, validation_, workers));
}

}  // namespace unroll::models
