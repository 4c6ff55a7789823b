// Columns of numbers brought to mean 0 and deviation 1, as learned from training data.
#pragma once
#include <cmath>
#include <span>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

struct Scaling {
  std::vector<double> means, deviations;  // of each column

  std::size_t columns() const { return means.size(); }
  double scaled(double value, std::size_t column) const {
    return (value - means[column]) / deviations[column];
  }
  double original(double value, std::size_t column) const {
    return value * deviations[column] + means[column];
  }
};

/// Gathers means and deviations row by row (Welford 1962).
class ScalingSums {
 public:
  explicit ScalingSums(std::size_t columns) : means_(columns), squares_(columns) {}
  template <class T>
  void add(std::span<const T> row) {
    ++rows_;
    for (std::size_t c = 0; c < means_.size(); ++c) {
      const double value = static_cast<double>(row[c]), before = value - means_[c];
      means_[c] += before / rows_;
      squares_[c] += before * (value - means_[c]);
    }
  }
  /// A column that never changes is only moved to 0.
  Scaling scaling() const {
    Scaling result{means_, std::vector<double>(means_.size(), 1)};
    for (std::size_t c = 0; c < means_.size(); ++c)
      if (squares_[c] > 0) result.deviations[c] = std::sqrt(squares_[c] / rows_);
    return result;
  }

 private:
  double rows_ = 0;
  std::vector<double> means_, squares_;  // squares: sum of squared distances from the mean
};

}  // namespace unroll::models
