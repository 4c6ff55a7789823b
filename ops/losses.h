// Losses. Each is a scalar of shape [], in nats where it is a logarithm.
#pragma once
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "ops/elementwise.h"
#include "ops/integers.h"

namespace unroll::ops {

enum class Reduction { mean, sum };

struct CrossEntropyOptions {
  std::vector<double> class_weights = {};  // by class, not negative; empty: all 1
  int ignore_index = -1;                   // rows with this label do not count
  double label_smoothing = 0;              // in [0, 1)
  Reduction reduction = Reduction::mean;
};

/// Cross entropy of softmax(logits) with labels 0 to V - 1: logits [..., V], a label for each row. With
/// weights w and smoothing e, a row of label y loses sum over c of t_c (-log p_c), t_c = e w_c / V + (1 - e)
/// w_y [c = y]. The mean divides the sum by the sum of w_y over the rows that count (their number, without
/// weights); it is 0 if none does. d_logits = (sum of t) p - t.
Var cross_entropy(Var logits, const Integers& labels, const CrossEntropyOptions& options = {},
                  SourceLocation location = SourceLocation::current());

enum class WeightLayout {
  in_out,  // [H, V]
  out_in,  // [V, H], as an embedding whose weights are used again for the output
};

/// cross_entropy(x weight + bias, labels) without ever holding the logits: x [..., H], bias [V]. Rows are
/// taken a few at a time; if a gradient is wanted, forward computes it, and backward only scales it. Takes
/// memory for the gradients of x, weight and bias, and for a few rows of logits.
Var linear_cross_entropy(Var x, Term weight, Term bias, const Integers& labels,
                         const CrossEntropyOptions& options = {}, WeightLayout layout = WeightLayout::in_out,
                         SourceLocation location = SourceLocation::current());
/// The same without a bias.
Var linear_cross_entropy(Var x, Term weight, const Integers& labels, const CrossEntropyOptions& options = {},
                         WeightLayout layout = WeightLayout::in_out,
                         SourceLocation location = SourceLocation::current());

/// What an elementwise loss is averaged over: all elements, or the rows, whose elements are added up.
enum class Over { elements, rows };

// Predictions and targets have equal shapes; the loss of no elements is 0.

/// -t log s(x) - (1 - t) log(1 - s(x)) for the sigmoid s of logits x and targets t in [0, 1]: each column is
/// a question of its own.
Var binary_cross_entropy(Var logits, Var targets, Over over = Over::elements,
                         SourceLocation location = SourceLocation::current());
/// (x - t)^2
Var mean_squared_error(Var predictions, Var targets, Over over = Over::elements,
                       SourceLocation location = SourceLocation::current());
/// |x - t|, with slope 0 at 0
Var absolute_error(Var predictions, Var targets, Over over = Over::elements,
                   SourceLocation location = SourceLocation::current());
/// r^2 / 2 for r = |x - t| up to delta, from there delta (r - delta / 2) (Huber 1964).
Var huber(Var predictions, Var targets, double delta = 1, Over over = Over::elements,
          SourceLocation location = SourceLocation::current());

/// The position of the largest number of each row, the first of equal ones; NaN is passed over.
std::vector<int> argmax_rows(View<const float> x);
std::vector<int> argmax_rows(View<const double> x);
std::vector<int> argmax_rows(Var x, SourceLocation location = SourceLocation::current());

/// exp(mean loss in nats)
double perplexity(double mean_loss);
/// The mean loss a character in nats, in bits.
double bits_per_character(double mean_loss);

}  // namespace unroll::ops

namespace unroll {
using ops::absolute_error;
using ops::argmax_rows;
using ops::binary_cross_entropy;
using ops::bits_per_character;
using ops::cross_entropy;
using ops::CrossEntropyOptions;
using ops::huber;
using ops::linear_cross_entropy;
using ops::mean_squared_error;
using ops::Over;
using ops::perplexity;
using ops::Reduction;
using ops::WeightLayout;
}  // namespace unroll
