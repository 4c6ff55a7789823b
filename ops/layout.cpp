#include "ops/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "autograd/pass.h"

namespace unroll::ops {

Layout::Layout(std::span<const int> lengths, SourceLocation location) {
  if (lengths.empty()) autograd::fail("layout", "no sequences came; needed at least one", location);
  for (std::size_t s = 0; s < lengths.size(); ++s)
    if (lengths[s] < 1)
      autograd::fail("layout", fmt::format("sequence {} has length {}; needed at least 1", s, lengths[s]),
                     location);

  const Index rows = std::accumulate(lengths.begin(), lengths.end(), Index{0});
  if (rows > std::numeric_limits<int>::max())
    autograd::fail("layout", fmt::format("{} rows came; needed at most 2147483647", rows), location);

  const auto made = std::make_shared<Lines>();
  auto& [all, ranks, sequences, offsets, sorted] = *made;
  const auto length = [&](int sequence) { return lengths[static_cast<std::size_t>(sequence)]; };
  all.assign(lengths.begin(), lengths.end());
  sequences.resize(lengths.size());
  std::iota(sequences.begin(), sequences.end(), 0);
  std::ranges::stable_sort(sequences, std::greater{}, length);
  sorted = std::ranges::is_sorted(sequences);
  ranks.resize(lengths.size());
  for (std::size_t r = 0; r < sequences.size(); ++r)
    ranks[static_cast<std::size_t>(sequences[r])] = static_cast<int>(r);

  std::size_t alive = lengths.size();
  for (int t = 0; t < length(sequences[0]); ++t) {
    while (length(sequences[alive - 1]) <= t) --alive;
    offsets.push_back(offsets.back() + static_cast<Index>(alive));
  }
  lines_ = made;
}

// A layout may be made before main.
const std::shared_ptr<const Layout::Lines>& Layout::none() {
  static const auto lines = std::make_shared<const Lines>();
  return lines;
}

Layout::Kept Layout::kept_by(autograd::Pass& pass) const {
  if (pass.records_gradients()) pass.keep(lines_);
  return Kept(lines_.get());
}

Layout Layout::uniform(Index batch, Index steps, SourceLocation location) {
  constexpr Index most = std::numeric_limits<int>::max();
  if (batch < 1 || steps < 1 || steps > most / batch)
    autograd::fail("layout",
                   fmt::format("{} sequences of {} steps came; needed 1 to {} rows", batch, steps, most),
                   location);
  const std::vector<int> lengths(static_cast<std::size_t>(batch), static_cast<int>(steps));
  return Layout(lengths, location);
}

void Layout::check_items(std::size_t count, Index features, SourceLocation location) const {
  if (features == 1 && static_cast<Index>(count) != rows())
    autograd::fail("layout", fmt::format("{} items came; needed one a row, {}", count, rows()), location);
  if (features < 0 || static_cast<Index>(count) != rows() * features)
    autograd::fail("layout",
                   fmt::format("{} numbers came; needed {} for each of {} rows", count, features, rows()),
                   location);
}

}  // namespace unroll::ops
