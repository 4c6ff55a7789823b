#include "models/training/saved.h"

namespace unroll::models {

namespace {
constexpr const char *kMeans = "means", *kDeviations = "deviations";
}

void CardWriter::operator()(const Scaling& scaling, std::size_t) const {
  card.configuration[kMeans] = scaling.means;
  card.configuration[kDeviations] = scaling.deviations;
}

void ContentsReader::operator()(Scaling& scaling, std::size_t columns) const {
  scaling = {file.numbers(kMeans), file.numbers(kDeviations)};
  const std::size_t count = scaling.columns(), needed = columns > 0 ? columns : count;
  if (count == 0 || count != needed || scaling.deviations.size() != needed ||
      !std::ranges::all_of(scaling.deviations, [](double d) { return d > 0; }))
    file.reject(
        "has a scaling that is not what unroll writes; needed a mean and a deviation above 0 for each "
        "column");
}

}  // namespace unroll::models
