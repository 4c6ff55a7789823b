#include "models/training/task.h"

namespace unroll::models {

void Tally::add(const Tally& other) {
  loss += other.loss;
  weight += other.weight;
  correct += other.correct;
  answers += other.answers;
  units += other.units;
}

std::optional<double> Tally::accuracy() const {
  if (answers == 0) return {};
  return static_cast<double>(correct) / static_cast<double>(answers);
}

}  // namespace unroll::models
