// What cross entropy compares rows of logits with: one label a row, weights, smoothing. Shared by the plain
// and the fused form.
#pragma once
#include "ops/losses.h"

namespace unroll::ops {

/// Lives in the arena of its tape. See cross_entropy() for the formula.
struct ClassTargets {
  const int* labels;
  Index rows, classes;
  const double* weights;  // nullptr: all 1
  double weight_sum;      // over all classes
  int ignore;
  double smoothing;
  double factor;  // of a row's loss in the result

  bool counts(Index row) const { return labels[row] != ignore; }
  double weight(int c) const { return weights ? weights[c] : 1; }
  /// Sum of t over the classes.
  double mass(int label) const {
    return (1 - smoothing) * weight(label) + smoothing * weight_sum / static_cast<double>(classes);
  }

  /// The row's part of the result, from its logits.
  double loss(Index row, const float* logits) const;
  double loss(Index row, const double* logits) const;
  /// The same; and puts its derivative in place of the logits.
  double loss_and_gradient(Index row, float* logits) const;
  double loss_and_gradient(Index row, double* logits) const;
};

/// Checks labels and options, copies them into the arena.
ClassTargets make_targets(autograd::Tape& tape, const char* op, Index rows, Index classes,
                          const Integers& labels, const CrossEntropyOptions& options,
                          SourceLocation location);

}  // namespace unroll::ops
