#include "models/data/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/system/error.h"
#include "models/data/counted.h"

namespace unroll::models {

using autograd::fail;

namespace {
constexpr double kNothing = 1e-9;  // what rounding leaves of a sum of shares
}

void check(const DataFiles& files, const char* op) {
  if (files.all.empty() == files.training.empty())
    fail(op, files.all.empty() ? "neither --data nor --train came; needed one of them"
                               : "--data and --train came; needed one of them");
  if (files.is_split() && !(files.validation.empty() && files.test.empty()))
    fail(op, "--data came with --valid or --test; needed --train with them, or --split");
  const double sum = std::accumulate(files.split.begin(), files.split.end(), 0.0);
  const bool positive = std::ranges::all_of(files.split, [](double s) { return s > 0; });
  if (files.is_split() &&
      (files.split.size() < 2 || files.split.size() > 3 || !positive || sum > 1 + kNothing))
    fail(op,
         fmt::format("{} of {} in all came with --split; needed two or three, above 0 and of at most 1 in "
                     "all",
                     counted(static_cast<Index>(files.split.size()), "share"), sum));
}

std::array<Index, 3> split_counts(const DataFiles& files, Index rows, const char* what, const char* op) {
  const auto share = [&](std::size_t i) {
    return static_cast<Index>(std::llround(files.split[i] * static_cast<double>(rows)));
  };
  std::array<Index, 3> counts{};
  for (std::size_t i = 1; i < files.split.size(); ++i) counts[i] = share(i);
  const Index rest = rows - counts[1] - counts[2];
  const double sum = std::accumulate(files.split.begin(), files.split.end(), 0.0);
  counts[0] = sum > 1 - kNothing ? rest : std::min(share(0), rest);
  for (std::size_t i = 0; i < files.split.size(); ++i)
    if (counts[i] < 1)
      fail(op, fmt::format("{} has {} {}, none of them for {}; needed some for each part",
                           name_of_input(files.all), rows, what, kPartNames[i]));
  return counts;
}

void reject_empty(const std::string& path, std::size_t part, const char* row, const char* op) {
  fail(op, fmt::format("{} has no good {} for {}; needed some", path, row, kPartNames[part]));
}

}  // namespace unroll::models
