#include "models/data_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/error.h"

namespace unroll::models {

using autograd::fail;

void check(const DataFiles& files, const char* op) {
  if (files.all.empty() == files.training.empty())
    fail(op, files.all.empty() ? "neither --data nor --train came; needed one of them"
                               : "--data and --train came; needed one of them");
  if (files.is_split() && !(files.validation.empty() && files.test.empty()))
    fail(op, "--data came with --valid or --test; needed --train with them, or --split");
  const double sum = std::accumulate(files.split.begin(), files.split.end(), 0.0);
  const bool positive = std::ranges::all_of(files.split, [](double s) { return s > 0; });
  if (files.is_split() &&
      (files.split.size() < 2 || files.split.size() > 3 || !positive || std::abs(sum - 1) > 1e-6))
    fail(op, fmt::format("{} shares that add up to {} came with --split; needed two or three, above 0, that "
                         "add up to 1",
                         files.split.size(), sum));
}

std::array<Index, 3> split_counts(const DataFiles& files, Index rows, const char* op) {
  std::array<Index, 3> counts{rows, 0, 0};
  for (std::size_t i = 1; i < files.split.size(); ++i) {
    counts[i] = std::llround(files.split[i] * static_cast<double>(rows));
    counts[0] -= counts[i];
  }
  for (std::size_t i = 0; i < files.split.size(); ++i)
    if (counts[i] < 1)
      fail(op, fmt::format("{} has {} rows, none of them for {}; needed some for each part", files.all, rows,
                           kPartNames[i]));
  return counts;
}

}  // namespace unroll::models
