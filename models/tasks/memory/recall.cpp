#include "models/tasks/memory/recall.h"

namespace unroll::models {

namespace {
constexpr double kNoise = 0.1;
}

RecallBatch draw_recall(Index steps, std::span<Generator> each) {
  const auto count = static_cast<Index>(each.size());
  RecallBatch batch{Layout::uniform(count, steps),
                    std::vector<float>(static_cast<std::size_t>(steps * count)),
                    std::vector<float>(each.size())};
  for (std::size_t b = 0; b < each.size(); ++b) {
    const bool bit = each[b].below(2) == 1;
    batch.targets[b] = bit;
    batch.inputs[b] = bit ? 1 : -1;
    for (std::size_t t = 1; t < static_cast<std::size_t>(steps); ++t)
      batch.inputs[t * each.size() + b] = static_cast<float>(kNoise * each[b].normal());
  }
  return batch;
}

}  // namespace unroll::models
