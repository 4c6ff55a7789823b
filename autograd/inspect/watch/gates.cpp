#include "autograd/inspect/watch/gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace unroll::inspect {

namespace {

std::string name_of(std::string_view label, std::string_view function, unsigned operands) {
  if (label == function) return std::string(label);
  std::string numbers;
  for (int i = 0; operands >> i != 0; ++i)
    if (operands >> i & 1) numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", i + 1);
  return fmt::format("{} {}({})", label, function, numbers);
}

}  // namespace

void GateFinder::begin_step() {
  seen_.assign(keys_.size(), false);
  place_ = 0;
}

Gate& GateFinder::gate_of(std::vector<Gate>& gates, const Key& key) {
  for (std::size_t tried = 0; tried < keys_.size(); ++tried, ++place_) {
    if (place_ >= keys_.size()) place_ = 0;
    if (seen_[place_] || keys_[place_] != key) continue;
    seen_[place_] = true;
    return gates[place_++];
  }
  const std::string name = key.name ? key.name : name_of(key.label, key.function, key.operands);
  std::string unique = name;
  for (int n = 2; std::ranges::count(gates, unique, &Gate::name) > 0; ++n)
    unique = fmt::format("{} {}", name, n);
  keys_.push_back(key);
  seen_.push_back(true);
  return gates.emplace_back(Gate{unique, {}, {}, {}});
}

void GateFinder::add(std::vector<Gate>& gates, std::size_t step, const char* label,
                     const autograd::Saturation& found) {
  Gate& gate = gate_of(gates, {label, found.function, found.name, found.operands});
  if (gate.low.size() <= step) {
    gate.low.resize(step + 1, std::nan(""));
    gate.high.resize(step + 1, std::nan(""));
    gate.count.resize(step + 1);
  }
  gate.count[step] = found.count;
  const auto count = static_cast<double>(found.count);
  gate.low[step] = static_cast<double>(found.low) / count;
  gate.high[step] = static_cast<double>(found.high) / count;
}

}  // namespace unroll::inspect
