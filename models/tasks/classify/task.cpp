#include "models/tasks/classify/task.h"

#include <algorithm>
#include <cmath>

#include "models/data/digest.h"
#include "ops/losses.h"
#include "ops/softmax.h"

namespace unroll::models {

namespace {

constexpr Index kMeasuredAtOnce = 256;

// Sum of the losses of these sequences.
Var loss_of(Var logits, const LabelledSequences& data, std::span<const int> which, bool many_labels) {
  if (many_labels) {
    Tensor targets(logits.shape(), f32);
    for (std::size_t i = 0; i < which.size(); ++i)
      for (const int label : data.labels[static_cast<std::size_t>(which[i])])
        targets.set(static_cast<Index>(i) * logits.cols() + label, 1);
    const Var mean = ops::binary_cross_entropy(logits, logits.tape().constant(targets), ops::Over::rows);
    return mean * static_cast<double>(which.size());
  }
  std::vector<int> labels;
  for (const int i : which) labels.push_back(data.labels[static_cast<std::size_t>(i)].at(0));
  return ops::cross_entropy(logits, labels, {.reduction = ops::Reduction::sum});
}

// The labels that each row of logits stands for, sorted.
std::vector<std::vector<int>> chosen(Var logits, bool many_labels) {
  std::vector<std::vector<int>> rows(static_cast<std::size_t>(logits.rows()));
  if (!many_labels) {
    const std::vector<int> best = ops::argmax_rows(logits);
    for (std::size_t row = 0; row < rows.size(); ++row) rows[row] = {best[row]};
    return rows;
  }
  const Tensor numbers = logits.tensor();
  for (Index i = 0; i < numbers.size(); ++i)
    if (numbers.at(i) >= 0)
      rows[static_cast<std::size_t>(i / logits.cols())].push_back(static_cast<int>(i % logits.cols()));
  return rows;
}

// Of what was chosen from each row of logits, as in ClassifierScore.
std::vector<double> probabilities(Var logits, std::span<const std::vector<int>> labels, bool many_labels) {
  const Tensor numbers = (many_labels ? ops::sigmoid(logits) : ops::softmax(logits)).tensor();
  std::vector<double> result;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    auto at = [&](Index c) { return numbers.at(static_cast<Index>(row) * logits.cols() + c); };
    double& p = result.emplace_back(many_labels ? 1 : at(labels[row][0]));
    for (Index c = 0; many_labels && c < logits.cols(); ++c)
      p *= std::ranges::binary_search(labels[row], static_cast<int>(c)) ? at(c) : 1 - at(c);
  }
  return result;
}

// Of sorted lists of labels.
Index in_common(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return static_cast<Index>(both.size());
}

void measure(ClassifierScore& score, const LabelledSequences& data) {
  Index right = 0, common = 0, total = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    right += score.predicted[i] == data.labels[i];
    common += in_common(score.predicted[i], data.labels[i]);
    total += static_cast<Index>(score.predicted[i].size() + data.labels[i].size());
  }
  score.accuracy = static_cast<double>(right) / static_cast<double>(std::max<std::size_t>(data.size(), 1));
  score.f1 = total == 0 ? 1 : 2 * static_cast<double>(common) / static_cast<double>(total);
}

void check_alike(std::span<const SavedClassifier> ensemble) {
  const SavedClassifier& a = ensemble[0];
  for (const SavedClassifier& b : ensemble.subspan(1))
    if (a.labels.names() != b.labels.names() || a.vocabulary.tokens() != b.vocabulary.tokens() ||
        a.scaling.means != b.scaling.means || a.options.many_labels != b.options.many_labels)
      autograd::fail("classify",
                     "models with other labels, vocabularies or scalings came; needed an ensemble trained on "
                     "the same data");
}

}  // namespace

ClassifierScore evaluate(const SavedClassifier& classifier, const LabelledSequences& data, Workers& workers) {
  return evaluate(std::span(&classifier, 1), data, workers);
}

ClassifierScore evaluate(std::span<const SavedClassifier> ensemble, const LabelledSequences& data,
                         Workers& workers) {
  check_alike(ensemble);
  const SavedClassifier& first = ensemble[0];
  const bool many_labels = first.options.many_labels;
  ClassifierScore score;
  score.predicted.resize(data.size());
  score.probability.resize(data.size());
  const auto measure_batch = [&](Worker& worker, std::span<const int> batch) {
    const PackedSequences packed(data, batch, first.scaling);
    Var logits = first(worker.tape, packed);
    for (const SavedClassifier& other : ensemble.subspan(1)) logits = logits + other(worker.tape, packed);
    if (ensemble.size() > 1) logits = logits / static_cast<double>(ensemble.size());
    expect_finite(logits, "classify");
    const double loss = data.labels.empty() ? 0 : loss_of(logits, data, batch, many_labels).item();
    auto predicted = chosen(logits, many_labels);
    const auto probability = probabilities(logits, predicted, many_labels);
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      const auto at = static_cast<std::size_t>(batch[i]);
      score.predicted[at] = std::move(predicted[i]);
      score.probability[at] = probability[i];
    }
    return loss;
  };
  score.loss = sum_over_batches(data.lengths(), kMeasuredAtOnce, workers, measure_batch) /
               static_cast<double>(std::max<std::size_t>(data.size(), 1));
  if (!data.labels.empty()) measure(score, data);
  return score;
}

std::vector<Measure> measures(const ClassifierScore& score, bool many_labels) {
  const Measure loss{.name = "loss", .value = score.loss, .shown = false},
      accuracy{.name = "accuracy",
               .value = score.accuracy,
               .form = Measure::Form::percent,
               .larger_is_better = true};
  if (!many_labels) return {accuracy, loss};
  return {{.name = "F1", .value = score.f1, .form = Measure::Form::percent, .larger_is_better = true},
          accuracy,
          loss};
}

std::uint64_t ClassificationTask::digest() const {
  Digest digest;
  for (const LabelledSequences* part : {&training_, &validation_}) {
    digest.add(part->texts), digest.add(part->labels);
    for (const Series& series : part->series) digest.add(series.columns), digest.add(series.values);
  }
  return digest.value();
}

Tally ClassificationTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int> which = batches_.share(batch, piece);
  if (which.empty()) return {};
  PackedSequences packed(training_, which, classifier_.scaling);
  word_dropout_(packed.ids, noise);
  const bool many_labels = classifier_.options.many_labels;
  const Var logits = classifier_(worker.tape, packed, &noise);
  const Var loss = loss_of(logits, training_, which, many_labels);
  worker.tape.backward(loss / static_cast<double>(batches_[batch].size()), worker.gradients);
  Tally tally{.loss = loss.item(),
              .weight = static_cast<double>(which.size()),
              .answers = static_cast<Index>(which.size()),
              .units = packed.layout.rows()};
  const auto predicted = chosen(logits, many_labels);
  for (std::size_t i = 0; i < which.size(); ++i)
    tally.correct += predicted[i] == training_.labels[static_cast<std::size_t>(which[i])];
  return tally;
}

std::vector<Measure> ClassificationTask::validate(Workers& workers) const {
  if (validation_.size() == 0) return {};
  return measures(evaluate(classifier_, validation_, workers), classifier_.options.many_labels);
}

}  // namespace unroll::models
