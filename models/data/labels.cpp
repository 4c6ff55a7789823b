#include "models/data/labels.h"

#include <fmt/format.h>

namespace unroll::models {

LabelSet::LabelSet(const std::vector<std::string>& names) {
  for (const std::string& name : names) add(name);
  if (static_cast<std::size_t>(size()) != names.size())
    autograd::fail("labels", "a list with a label twice came; needed each once");
}

int LabelSet::add(std::string_view label) {
  const auto it = ids_.find(label);
  if (it != ids_.end()) return it->second;
  ids_.emplace(label, size());
  names_.emplace_back(label);
  return size() - 1;
}

void LabelSet::expect(int least, const char* what, const char* op) const {
  if (size() < least)
    autograd::fail(
        op, fmt::format("training data with {} different {} came; needed at least {}", size(), what, least));
}

int LabelSet::id(std::string_view label, const Place& place) const {
  const auto it = ids_.find(label);
  if (it == ids_.end())
    reject("labels", place, "the label " + in_quotes(label),
           fmt::format("one of the {} that the training data has", size()));
  return it->second;
}

}  // namespace unroll::models
