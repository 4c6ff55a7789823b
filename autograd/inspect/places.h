// Which op in which module a node is: what figures are added up by.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

/// An op of a module, "matmul" of "encoder.layers.0".
struct Place {
  std::string op, module;
};

/// Numbers the places of nodes, without comparing names with those of all others.
class Places {
 public:
  Places() : keys_(256) {}
  std::uint32_t find(const autograd::Tape& tape, const autograd::Node& node);
  std::uint32_t named(const std::string& op, const std::string& module);
  std::size_t size() const { return places_.size(); }
  const Place& operator[](std::uint32_t place) const { return places_[place]; }

 private:
  struct Key {
    const char* op = nullptr;  // nullptr if this slot of the table is free
    std::uint32_t scope = 0, place = 0;
  };
  std::vector<Place> places_;
  std::vector<Key> keys_;  // open-addressing table
  std::size_t key_count_ = 0;
};

}  // namespace unroll::inspect
