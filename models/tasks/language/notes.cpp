#include "models/tasks/language/notes.h"

#include <numeric>

#include "models/data/digest.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr Index kMeasuredAtOnce = 32;

std::vector<int> lengths_of(std::span<const KeySteps> pieces) {
  std::vector<int> lengths;
  for (const KeySteps& piece : pieces) lengths.push_back(static_cast<int>(piece.size()) - 1);
  return lengths;
}

// Some pieces as they go through the net: each step but the last, and what comes next.
struct PackedPieces {
  Layout layout;
  std::vector<float> inputs, targets;  // [N, 88]

  PackedPieces(std::span<const KeySteps> pieces, std::span<const int> which)
      : layout(lengths(pieces, which)) {
    const auto size = static_cast<std::size_t>(layout.rows() * kKeys);
    inputs.resize(size);
    targets.resize(size);
    for (std::size_t p = 0; p < which.size(); ++p) {
      const KeySteps& piece = pieces[static_cast<std::size_t>(which[p])];
      for (std::size_t t = 0; t + 1 < piece.size(); ++t) {
        const Index row = layout.row(static_cast<Index>(p), static_cast<Index>(t));
        for (const int key : piece[t]) inputs[static_cast<std::size_t>(row * kKeys + key)] = 1;
        for (const int key : piece[t + 1]) targets[static_cast<std::size_t>(row * kKeys + key)] = 1;
      }
    }
  }
  Var keys(Tape& tape, const std::vector<float>& those) const {
    return tape.constant({layout.rows(), kKeys}, those);
  }

 private:
  static std::vector<int> lengths(std::span<const KeySteps> pieces, std::span<const int> which) {
    std::vector<int> lengths;
    for (const int i : which)
      lengths.push_back(static_cast<int>(pieces[static_cast<std::size_t>(i)].size()) - 1);
    return lengths;
  }
};

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
  const auto measure_batch = [&](Worker& worker, std::span<const int> batch) {
    const PackedPieces packed(pieces, batch);
    const Var logits = model(packed.keys(worker.tape, packed.inputs), packed.layout);
    const Var mean =
        ops::binary_cross_entropy(logits, packed.keys(worker.tape, packed.targets), ops::Over::rows);
    return mean.item() * static_cast<double>(packed.layout.rows());
  };
  return finite(sum_over_batches(lengths_of(pieces), kMeasuredAtOnce, workers, measure_batch) /
                    static_cast<double>(std::max<Index>(steps_of(pieces), 1)),
                "lm");
}

std::vector<Measure> measures(double loss) { return {{.name = "loss", .value = loss}}; }

Index NoteTask::units() const { return steps_of(training_); }

std::uint64_t NoteTask::digest() const { return digest_of(training_, validation_); }

Index NoteTask::begin_epoch(Generator& order) { return batches_.begin_epoch(lengths_of(training_), order); }

Tally NoteTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int> which = batches_.share(batch, piece);
  if (which.empty()) return {};
  Index steps = 0;
  for (const int i : batches_[batch])
    steps += static_cast<Index>(training_[static_cast<std::size_t>(i)].size()) - 1;
  const PackedPieces packed(training_, which);
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
