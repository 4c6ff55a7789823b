// Problems whose sequences are made up, to measure what a recurrent net can remember.
#pragma once
#include <span>
#include <vector>

#include "models/tasks/encoder.h"
#include "models/training/training.h"
#include "ops/losses.h"

namespace unroll::models {

/// What a net makes of some sequences.
struct Answered {
  Var loss;  // mean
  Index correct = 0, answers = 0;
};

/// The adding problem (Hochreiter and Schmidhuber 1997): each step brings a number of [0, 1] and a mark; two
/// steps are marked, one in each half, and their numbers are to be added. The loss is the squared error;
/// answering 1 always gives 1/6.
struct Adding {
  struct Batch {
    Layout layout;
    std::vector<float> inputs, targets;  // [steps, sequences, 2], [sequences, 1]
  };
  Index length;
  Encoder net;
  nn::Pooling last;
  nn::Linear output;

  Adding(Index steps, const NetOptions& options, Generator& generator)
      : length(steps),
        net(2, options, generator),
        last(nn::Pool::last, net.width(), generator),
        output(net.width(), 1, generator) {}
  /// One sequence from each generator.
  Batch draw(std::span<Generator> each) const;
  Answered operator()(Tape& tape, const Batch& batch, Generator* noise) const;
  void members(Members& m) { m("net", net), m("output", output); }
  static constexpr const char* kind = "adding problem";
  static constexpr const char* measure = "squared error";
};

/// Copy memory (Hochreiter and Schmidhuber 1997, as in Arjovsky, Shah and Bengio 2016): 10 symbols out of 8,
/// then blanks, a sign, and the 10 symbols are to be said again: `length` + 20 steps in all. The loss is the
/// mean cross entropy of all steps; who has forgotten all of it has 10 ln 8 / (length + 20).
struct CopyMemory {
  static constexpr int kSymbols = 10, kKinds = 8;
  struct Batch {
    Layout layout;
    std::vector<int> inputs, targets;  // [steps, sequences]
  };
  Index length;
  nn::Embedding symbols;  // the identity: what goes in is one of 10 units
  Encoder net;
  nn::Linear output;

  CopyMemory(Index steps, const NetOptions& options, Generator& generator);
  Batch draw(std::span<Generator> each) const;
  Answered operator()(Tape& tape, const Batch& batch, Generator* noise) const;
  void members(Members& m) { m("net", net), m("output", output); }
  static constexpr const char* kind = "copy memory";
  static constexpr const char* measure = "loss";
};

struct GeneratedOptions {
  Index batches = 100;    // in an epoch
  Index measured = 1024;  // sequences of the validation, and of the test
};

/// A task (models/training/task.h) for such a problem; every epoch brings new sequences.
template <class Problem>
class GeneratedTask {
 public:
  GeneratedTask(Problem& problem, const NetOptions& net, const TrainingOptions& run,
                const GeneratedOptions& options = {})
      : problem_(problem), net_(net), batch_(run.batch), options_(options) {}

  std::vector<NamedParameter> parameters() { return nn::parameters(problem_); }
  ModelCard card() const {
    ModelCard card{.kind = Problem::kind, .configuration = {{"length", problem_.length}}, .lists = {}};
    NetOptions net = net_;
    describe(card.configuration, without(net, {"embed", "bidirectional", "pool"}));
    return card;
  }
  const char* unit() const { return "sequences"; }
  Index units() const { return batch_ * options_.batches; }
  Index begin_epoch(Generator& order) {
    seed_ = order.next();
    return options_.batches;
  }
  Tally learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
    const Share share = share_of(batch_, piece.index, piece.count);
    if (share.size() == 0) return {};
    const auto drawn = sequences(seed_, batch * batch_ + share.begin, share.size());
    const Answered answered = problem_(worker.tape, drawn, &noise);
    const auto count = static_cast<double>(share.size());
    worker.tape.backward(answered.loss * (count / static_cast<double>(batch_)), worker.gradients);
    return {.loss = answered.loss.item() * count,
            .weight = count,
            .correct = answered.correct,
            .answers = answered.answers,
            .units = share.size()};
  }
  std::vector<Measure> validate(Workers& workers) const { return evaluate(workers, 1); }
  std::vector<Measure> test(Workers& workers) const { return evaluate(workers, 2); }

 private:
  // Each sequence comes from a generator of its own, so that it does not matter who draws it.
  typename Problem::Batch sequences(std::uint64_t seed, Index first, Index count) const {
    std::vector<Generator> each;
    for (Index i = first; i < first + count; ++i) {
      Generator of_batch(seed + static_cast<std::uint64_t>(i));
      each.push_back(of_batch.split());
    }
    return problem_.draw(each);
  }
  std::vector<Measure> evaluate(Workers& workers, std::uint64_t seed) const {
    std::vector<Tally> tallies(static_cast<std::size_t>((options_.measured + batch_ - 1) / batch_));
    workers.measure(tallies.size(), [&](Worker& worker, std::size_t b) {
      const auto drawn = sequences(seed << 32, static_cast<Index>(b) * batch_, batch_);
      const Answered answered = problem_(worker.tape, drawn, nullptr);
      tallies[b] = {.loss = answered.loss.item(),
                    .weight = 1,
                    .correct = answered.correct,
                    .answers = answered.answers};
    });
    Tally all;
    for (const Tally& tally : tallies) all.add(tally);
    std::vector<Measure> measures = {{.name = Problem::measure, .value = all.mean_loss()}};
    if (const auto accuracy = all.accuracy())
      measures.push_back(
          {.name = "accuracy", .value = *accuracy, .form = Measure::Form::percent, .larger_is_better = true});
    return measures;
  }

  Problem& problem_;
  NetOptions net_;
  Index batch_;
  GeneratedOptions options_;
  std::uint64_t seed_ = 0;
};

}  // namespace unroll::models
