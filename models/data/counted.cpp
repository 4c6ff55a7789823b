#include "models/data/counted.h"

#include <fmt/format.h>

namespace unroll::models {

std::string with_commas(Index n) {
  const std::string digits = fmt::format("{}", n < 0 ? -n : n);
  std::string result = n < 0 ? "-" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

std::string counted(Index n, std::string_view thing) {
  return fmt::format("{} {}{}", with_commas(n), thing, n == 1 ? "" : "s");
}

}  // namespace unroll::models
