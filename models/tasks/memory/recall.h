// A bit to be recalled: the smallest problem that shows what becomes of a gradient on its way back through
// time. The first step brings +1 or -1, all later ones noise; after the last the bit is asked for.
#pragma once
#include <cmath>
#include <span>
#include <vector>

#include "autograd/inspect/watch/flow.h"
#include "models/tasks/memory/generated.h"
#include "nn/cells.h"
#include "nn/layers.h"

namespace unroll::models {

struct RecallBatch {
  Layout layout;
  std::vector<float> inputs, targets;  // [steps, sequences, 1]; [sequences, 1], 0 or 1
};
/// One sequence from each generator; the noise is normal, of deviation 0.1.
RecallBatch draw_recall(Index steps, std::span<Generator> each);

/// A problem of models/tasks/memory/generated.h.
template <nn::Cell C>
struct Recall {
  using Batch = RecallBatch;
  Index length;
  C cell;
  nn::Linear output;

  Recall(Index steps, Index hidden, Generator& generator)
      : length(steps), cell(1, hidden, generator), output(hidden, 1, generator) {}
  void members(Members& m) { m("cell", cell), m("output", output); }
  static constexpr const char* kind = "recall";
  static constexpr const char* measure = "loss";

  Batch draw(std::span<Generator> each) const { return draw_recall(length, each); }
  Answered operator()(Tape& tape, const Batch& batch, Generator*) const {
    const Var logits = answer(tape, batch);
    Answered answered{loss(tape, logits, batch), 0, batch.layout.batch()};
    const Tensor numbers = logits.tensor();
    for (Index b = 0; b < answered.answers; ++b)
      answered.correct += (numbers.at(b) > 0) == (batch.targets[static_cast<std::size_t>(b)] > 0.5f);
    return answered;
  }

  /// By time step, the norm of the derivative of a sequence's loss by the state after that step (of an LSTM:
  /// h and c together); the root of its mean square over the sequences.
  std::vector<double> gradient_norms(const Batch& batch) const {
    Tape tape;
    Gradients unused;
    inspect::Flow flow({.gate_elements = 0});
    const auto attached = tape.attach(flow);
    tape.backward(loss(tape, answer(tape, batch), batch), unused);
    const inspect::Recurrence& states = flow.recurrences().at(0);
    std::vector<double> norms(states.rows.size());
    for (std::size_t t = 0; t < norms.size(); ++t) {
      for (const inspect::FieldFlow& field : states.fields)
        norms[t] = std::hypot(norms[t], field.gradient[t].norm);
      norms[t] *= std::sqrt(static_cast<double>(batch.layout.batch()));
    }
    return norms;
  }

 private:
  Var answer(Tape& tape, const Batch& batch) const {
    const Var xs = tape.constant({batch.layout.rows(), 1}, batch.inputs);
    auto last = nn::scan(cell, {xs, &batch.layout}).last;
    return output(*nn::fields(last)[0]);
  }
  static Var loss(Tape& tape, Var logits, const Batch& batch) {
    return ops::binary_cross_entropy(logits, tape.constant(logits.shape(), batch.targets));
  }
};

}  // namespace unroll::models
