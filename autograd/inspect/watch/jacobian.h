// How a recurrence carries a small change of its state on: the Jacobian of one step, and its product over
// steps.
#pragma once
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Tape;

/// Of the whole state of a sequence, all fields side by side; the root of the mean square over sequences.
///
/// A matrix is measured by its largest singular value, or, if the state is too wide to compute all columns,
/// by the root of the mean square of its singular values, which is the gain of a random direction: estimated
/// from products with random signs (Hutchinson 1990), with the standard error beside it. The first never is
/// below the second.
struct Jacobian {
  bool exact;  // the largest singular value
  // By time step:
  std::vector<double> norm;     // of d state / d state before; NaN at the first step
  std::vector<double> product;  // of d last state / d state; over the sequences that have all these steps
  std::vector<double> norm_error, product_error;  // 0 if exact
  // The number of steps over which the product comes below 1e-3, or above 1e3.
  std::optional<Index> vanishes_after, explodes_after;
};

/// One step of a recurrence on a tape.
struct TakenStep {
  std::size_t time;
  bool first;                // of the recurrence
  std::uint32_t begin, end;  // its nodes
  std::vector<Var> before, after;
};

struct JacobianOptions {
  Index exact = 64;      // the widest state whose Jacobian is computed whole, one pull_back() a column
  Index probes = 16;     // random directions for wider ones
  Index sequences = 16;  // of a batch, the longest ones
};

/// Goes from the last step of a recurrence to the first.
class JacobianWalk {
 public:
  explicit JacobianWalk(const JacobianOptions& options) : options_(options) {}
  void go_back(Tape& tape, const TakenStep& step);
  const Jacobian& result() const { return result_; }

 private:
  // For each sequence the rows of a matrix with as many columns as the state.
  struct Matrices {
    Index sequences = 0, rows = 0, cols = 0;
    std::vector<double> numbers;
    Matrices() = default;
    Matrices(Index s, Index r, Index c)
        : sequences(s), rows(r), cols(c), numbers(static_cast<std::size_t>(s * r * c)) {}
    double* row(Index s, Index r) { return numbers.data() + (s * rows + r) * cols; }
    const double* row(Index s, Index r) const { return numbers.data() + (s * rows + r) * cols; }
  };
  struct Measured {
    double size, error;
  };
  Matrices directions(Index sequences, Index width);
  static Matrices pulled(Tape& tape, const TakenStep& step, const Matrices& seeds);
  Measured measure(const Matrices& m) const;
  void rescale();

  JacobianOptions options_;
  Jacobian result_{};
  Matrices product_;  // d last state / d the state after the next step, over exp(log_scale_)
  double log_scale_ = 0;
  Index steps_ = 0;  // in the product
  std::mt19937_64 random_{1};
};

}  // namespace unroll::inspect
