// Sequences with their labels, as numbers: what a classifier learns from.
#pragma once
#include <span>
#include <vector>

#include "models/data/scaling.h"
#include "models/data/time_series.h"
#include "ops/layout.h"

namespace unroll::models {

struct LabelledSequences {
  std::vector<std::vector<int>> texts;   // token ids; or
  std::vector<Series> series;            // rows of numbers
  std::vector<std::vector<int>> labels;  // of each sequence; none where they are not known

  std::size_t size() const { return series.empty() ? texts.size() : series.size(); }
  std::vector<int> lengths() const;
  /// Steps of all of them.
  Index steps() const;
};

/// Some of them as they go through a net.
struct PackedSequences {
  ops::Layout layout;
  std::vector<int> ids;        // of texts
  std::vector<float> numbers;  // of series, scaled, [rows, columns]
  Index columns = 0;

  PackedSequences(const LabelledSequences& data, std::span<const int> which, const Scaling& scaling);
};

}  // namespace unroll::models
