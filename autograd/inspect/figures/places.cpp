#include "autograd/inspect/figures/places.h"

#include <algorithm>

#include "autograd/op.h"

namespace unroll::inspect {

std::vector<std::string> modules_around(const std::string& path) {
  std::vector<std::string> modules;
  for (std::size_t begin = 0; begin < path.size();) {
    std::size_t end = std::min(path.find('.', begin), path.size());
    if (end + 1 < path.size() && path.find_first_not_of("0123456789", end + 1) != end + 1)  // "layers.0"
      end = std::min(path.find('.', end + 1), path.size());
    modules.push_back(path.substr(0, end));
    begin = end + 1;
  }
  return modules;
}

// A name may have gone, and another have come in its place: the text decides.
std::uint32_t Places::find(const autograd::Tape& tape, const autograd::Node& node) {
  static const std::string outside;
  const char* op = node.table->name(node.op);
  const std::string& module = node.scope == autograd::kNone ? outside : tape.scopes()[node.scope].path;
  const std::size_t mask = keys_.size() - 1;
  std::size_t i = (reinterpret_cast<std::uintptr_t>(op) / 8 + node.scope * 37) & mask;
  while (keys_[i].op && (keys_[i].op != op || keys_[i].scope != node.scope)) i = (i + 1) & mask;
  Key& key = keys_[i];
  if (key.op && places_[key.place].op == op && places_[key.place].module == module) return key.place;
  key_count_ += !key.op;
  const std::uint32_t place = named(op, module);
  key = {op, node.scope, place};
  if (2 * key_count_ > keys_.size()) {  // all keys come back with the next node of their kind
    keys_.assign(2 * keys_.size(), Key());
    key_count_ = 0;
  }
  return place;
}

std::uint32_t Places::named(const std::string& op, const std::string& module) {
  const auto known =
      std::ranges::find_if(places_, [&](const ModuleOp& p) { return p.op == op && p.module == module; });
  const auto place = static_cast<std::uint32_t>(known - places_.begin());
  if (known == places_.end()) places_.push_back({op, module});
  return place;
}

}  // namespace unroll::inspect
