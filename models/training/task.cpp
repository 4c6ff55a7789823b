#include "models/training/task.h"

#include <fmt/format.h>

#include <cmath>

namespace unroll::models {

double finite(double figure, const char* op) {
  if (!std::isfinite(figure))
    autograd::fail(op,
                   fmt::format("{} came out of the net; needed weights, scalings and input that give finite "
                               "answers",
                               figure));
  return figure;
}

void expect_finite(Var answers, const char* op) {
  if (answers.tape().dry()) return;
  autograd::dispatch(answers.dtype(), [&]<class T>() {
    const autograd::View<const T> view = answers.template view<T>();
    for (Index r = 0; r < view.rows(); ++r)
      for (Index c = 0; c < view.cols(); ++c)
        if (!std::isfinite(view(r, c))) finite(static_cast<double>(view(r, c)), op);
  });
}

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
