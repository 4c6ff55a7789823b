// Which op in which module a node is: what figures are added up by.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

/// An op of a module, "matmul" of "encoder.layers.0".
struct ModuleOp {
  std::string op, module;
};

/// A module and those that it is a part of, the outermost first: "encoder", "encoder.layers.0",
/// "encoder.layers.0.cell".
std::vector<std::string> modules_around(const std::string& path);

/// Sums by module, each with all that is in it; "" is around all. Calls add(sum, row) for rows with a
/// `place`.
template <class Sum, class Rows, class Add>
std::map<std::string, Sum> by_module(const Rows& rows, Add add) {
  std::map<std::string, Sum> sums;
  for (const auto& row : rows) {
    add(sums[""], row);
    for (const std::string& module : modules_around(row.place.module)) add(sums[module], row);
  }
  return sums;
}

/// Numbers the places of nodes, without comparing names with those of all others.
class Places {
 public:
  Places() : keys_(256) {}
  std::uint32_t find(const autograd::Tape& tape, const autograd::Node& node);
  std::uint32_t named(const std::string& op, const std::string& module);
  std::size_t size() const { return places_.size(); }
  const ModuleOp& operator[](std::uint32_t place) const { return places_[place]; }

 private:
  struct Key {
    const char* op = nullptr;  // nullptr if this slot of the table is free
    std::uint32_t scope = 0, place = 0;
  };
  std::vector<ModuleOp> places_;
  std::vector<Key> keys_;  // open-addressing table
  std::size_t key_count_ = 0;
};

}  // namespace unroll::inspect
