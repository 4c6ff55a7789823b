#include "models/data/labelled_sequences.h"

namespace unroll::models {

std::vector<int> LabelledSequences::lengths() const {
  std::vector<int> result;
  for (const auto& text : texts) result.push_back(static_cast<int>(text.size()));
  for (const Series& s : series) result.push_back(static_cast<int>(s.steps()));
  return result;
}

Index LabelledSequences::steps() const {
  Index sum = 0;
  for (const int length : lengths()) sum += length;
  return sum;
}

namespace {

ops::Layout layout_of(const LabelledSequences& data, std::span<const int> which) {
  std::vector<int> lengths;
  for (const int i : which) {
    const auto at = static_cast<std::size_t>(i);
    lengths.push_back(data.series.empty() ? static_cast<int>(data.texts[at].size())
                                          : static_cast<int>(data.series[at].steps()));
  }
  return ops::Layout(lengths);
}

}  // namespace

PackedSequences::PackedSequences(const LabelledSequences& data, std::span<const int> which,
                                 const Scaling& scaling)
    : layout(layout_of(data, which)) {
  if (data.series.empty()) {
    std::vector<int> items;
    for (const int i : which) {
      const auto& text = data.texts[static_cast<std::size_t>(i)];
      items.insert(items.end(), text.begin(), text.end());
    }
    ids = layout.pack<int>(items);
    return;
  }
  const auto width = scaling.columns();
  columns = static_cast<Index>(width);
  numbers.resize(static_cast<std::size_t>(layout.rows()) * width);
  for (std::size_t s = 0; s < which.size(); ++s) {
    const Series& series = data.series[static_cast<std::size_t>(which[s])];
    for (Index t = 0; t < series.steps(); ++t) {
      const auto row = static_cast<std::size_t>(layout.row(static_cast<Index>(s), t)) * width;
      for (std::size_t c = 0; c < width; ++c)
        numbers[row + c] = static_cast<float>(
            scaling.scaled(static_cast<double>(series.values[static_cast<std::size_t>(t) * width + c]), c));
    }
  }
}

}  // namespace unroll::models
