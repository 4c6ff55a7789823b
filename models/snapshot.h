// The best parameters so far.
#pragma once
#include <span>
#include <vector>

#include "autograd/parameter.h"

namespace unroll::models {

/// Copies of the numbers of some parameters, which must outlive it.
class Snapshot {
 public:
  explicit Snapshot(std::span<const NamedParameter> parameters) {
    for (const NamedParameter& p : parameters) parameters_.push_back(p.parameter);
  }
  void take() {
    values_.clear();
    for (const Parameter* p : parameters_) values_.push_back(p->value());
  }
  /// Puts them back; does nothing if none were taken.
  void restore() const {
    for (std::size_t i = 0; i < values_.size(); ++i) parameters_[i]->value() = values_[i];
  }

 private:
  std::vector<Parameter*> parameters_;
  std::vector<Tensor> values_;
};

}  // namespace unroll::models
