#include "ops/random.h"

#include <cmath>
#include <numbers>

namespace unroll::ops {

double Generator::normal() {
  const double u = 1 - uniform();  // in (0, 1]
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * uniform());
}

std::uint64_t Generator::below(std::uint64_t n) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(next()) * n) >> 64);
}

}  // namespace unroll::ops
