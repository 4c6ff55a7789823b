#include "ops/class_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/simd/softmax_rows.h"

namespace unroll::ops {

namespace {

// What the loss of a row needs of its logits, beside their logsumexp: sum of t_c (logsumexp - x_c). All is
// taken relative to the label's logit, and the largest logit before the small rest of logsumexp, so that
// large logits cancel exactly. Without smoothing no other logit
// is read, so that classes may be masked with -infinity.
struct RowLoss {
  double scale, part;  // of (logsumexp - origin), of the smoothed sum
  double origin, smoothed = 0;

  template <class T>
  RowLoss(const ClassTargets& targets, int label, const T* logits)
      : scale(targets.factor * targets.mass(label)),
        part(targets.factor * targets.smoothing / static_cast<double>(targets.classes)),
        origin(static_cast<double>(logits[label])) {
    if (targets.smoothing == 0) return;
    for (Index c = 0; c < targets.classes; ++c)
      smoothed += targets.weight(static_cast<int>(c)) * (static_cast<double>(logits[c]) - origin);
  }
  template <class T>
  double at(const LogSumExp<T>& total) const {
    return scale * (static_cast<double>(total.largest) - origin + static_cast<double>(total.rest)) -
           part * smoothed;
  }
};

template <class T>
double row_loss(const ClassTargets& targets, Index row, const T* logits) {
  if (!targets.counts(row)) return 0;
  return RowLoss(targets, targets.labels[row], logits).at(row_logsumexp(logits, targets.classes));
}

template <class T>
double row_gradient(const ClassTargets& targets, Index row, T* logits) {
  const Index n = targets.classes;
  if (!targets.counts(row)) {
    std::fill_n(logits, n, T(0));
    return 0;
  }
  const int label = targets.labels[row];
  const RowLoss loss(targets, label, logits);
  const LogSumExp<T> total = softmax_row(logits, logits, n);
  for (Index c = 0; c < n; ++c) logits[c] *= static_cast<T>(loss.scale);
  if (targets.smoothing > 0)
    for (Index c = 0; c < n; ++c)
      logits[c] -= static_cast<T>(loss.part * targets.weight(static_cast<int>(c)));
  logits[label] -= static_cast<T>(targets.factor * (1 - targets.smoothing) * targets.weight(label));
  return loss.at(total);
}

}  // namespace

double ClassTargets::loss(Index row, const float* logits) const { return row_loss(*this, row, logits); }
double ClassTargets::loss(Index row, const double* logits) const { return row_loss(*this, row, logits); }
double ClassTargets::loss_and_gradient(Index row, float* logits) const {
  return row_gradient(*this, row, logits);
}
double ClassTargets::loss_and_gradient(Index row, double* logits) const {
  return row_gradient(*this, row, logits);
}

ClassTargets make_targets(autograd::Tape& tape, const char* op, Index rows, Index classes,
                          const Integers& labels, const CrossEntropyOptions& options,
                          SourceLocation location) {
  auto reject = [&](const std::string& message) { autograd::fail(op, message, location); };
  if (static_cast<Index>(labels.size()) != rows)
    reject(fmt::format("{} labels came for {} rows; needed one for each", labels.size(), rows));
  for (std::size_t r = 0; r < labels.size(); ++r)
    if (labels[r] != options.ignore_index && (labels[r] < 0 || labels[r] >= classes))
      reject(fmt::format("label {} came for row {}; needed 0 to {}, or {} for a row that does not count",
                         labels[r], r, classes - 1, options.ignore_index));
  const std::vector<double>& weights = options.class_weights;
  if (!weights.empty() && static_cast<Index>(weights.size()) != classes)
    reject(fmt::format("{} class weights came for {} classes; needed one for each", weights.size(), classes));
  for (double w : weights)
    if (!(w >= 0)) reject(fmt::format("a class weight of {} came; needed none below 0", w));
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1))
    reject(fmt::format("a label smoothing of {} came; needed 0 <= smoothing < 1", options.label_smoothing));

  ClassTargets targets{};
  int* kept = tape.arena().allocate_array<int>(labels.size());
  for (std::size_t r = 0; r < labels.size(); ++r) kept[r] = static_cast<int>(labels[r]);
  targets.labels = kept;
  targets.rows = rows;
  targets.classes = classes;
  targets.ignore = options.ignore_index;
  targets.smoothing = options.label_smoothing;
  targets.weight_sum = static_cast<double>(classes);
  if (!weights.empty()) {
    double* copy = tape.arena().allocate_array<double>(weights.size());
    std::ranges::copy(weights, copy);
    targets.weights = copy;
    targets.weight_sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  }
  targets.factor = 1;
  if (options.reduction == Reduction::mean) {
    double total = 0;
    for (Index r = 0; r < rows; ++r)
      if (targets.counts(r)) total += targets.weight(kept[r]);
    targets.factor = total > 0 ? 1 / total : 0;
  }
  return targets;
}

}  // namespace unroll::ops
