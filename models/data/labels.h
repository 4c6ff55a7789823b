// The labels of training data, and their numbers.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/line_reader.h"
#include "models/data/vocabulary.h"

namespace unroll::models {

class LabelSet {
 public:
  LabelSet() = default;
  /// From a saved list; throws Error for a label that comes twice.
  explicit LabelSet(const std::vector<std::string>& names);

  /// The number of a label, a new one if it is new.
  int add(std::string_view label);
  /// Throws Error, naming the place, for a label that is not here.
  int id(std::string_view label, const Place& place) const;
  /// Throws Error if there is nothing to learn: fewer than `least`, which are "labels" or "tags".
  void expect(int least, const char* what, const char* op) const;

  int size() const { return static_cast<int>(names_.size()); }
  const std::string& name(int id) const { return names_.at(static_cast<std::size_t>(id)); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  TokenMap<int> ids_;
};

}  // namespace unroll::models
