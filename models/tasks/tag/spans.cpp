#include "models/tasks/tag/spans.h"

#include <algorithm>

namespace unroll::models {

namespace {
bool is_marked(std::string_view tag) { return tag.starts_with("B-") || tag.starts_with("I-"); }
}  // namespace

std::vector<Span> spans_of(std::span<const std::string_view> tags) {
  std::vector<Span> spans;
  bool open = false;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (!is_marked(tags[i])) {
      open = false;
      continue;
    }
    const std::string_view type = tags[i].substr(2);
    if (open && tags[i][0] == 'I' && spans.back().type == type)
      spans.back().end = i + 1;
    else
      spans.push_back({i, i + 1, type});
    open = true;
  }
  return spans;
}

bool are_bio(std::span<const std::string> tags) {
  return std::ranges::any_of(tags, is_marked) &&
         std::ranges::all_of(tags, [](const std::string& tag) { return tag == "O" || is_marked(tag); });
}

void SpanCounts::add(std::span<const std::string_view> tags, std::span<const std::string_view> predictions) {
  const std::vector<Span> wanted = spans_of(tags), found = spans_of(predictions);
  came += static_cast<Index>(wanted.size());
  predicted += static_cast<Index>(found.size());
  right += std::ranges::count_if(found, [&](const Span& s) { return std::ranges::count(wanted, s) > 0; });
}

}  // namespace unroll::models
