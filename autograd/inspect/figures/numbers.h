// Numbers as the JSON of reports has them: null for what JSON cannot say, NaN and infinity.
#pragma once
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

namespace unroll::inspect {

inline nlohmann::json number_json(double x) {
  return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json();
}

/// An array with of(row) for each row.
template <class Rows, class Of = std::identity>
nlohmann::json column_json(const Rows& rows, Of of = {}) {
  nlohmann::json numbers = nlohmann::json::array();
  for (const auto& row : rows) numbers.push_back(number_json(std::invoke(of, row)));
  return numbers;
}

}  // namespace unroll::inspect
