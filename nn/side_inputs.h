// What a step reads of the pass beside its input and its state: encoder keys, a condition, a mask.
//
//   struct Decoder {
//     mutable Var keys;                                                    set before each pass
//     void side_inputs(SideInputs& s) const { s(keys); }
//
// A cell lists them so that they reach it, with their gradients, wherever a part of the pass is a pass of its
// own: in recomputed segments, and on other threads.
#pragma once
#include <span>
#include <vector>

#include "autograd/tape.h"

namespace unroll::nn {

/// Collects the side inputs of a cell; an empty Var is none.
class SideInputs {
 public:
  void operator()(Var& side) {
    if (side.defined()) list_.push_back(&side);
  }
  std::span<Var* const> list() const { return list_; }

 private:
  std::vector<Var*> list_;
};

namespace detail {

template <class C>
SideInputs side_inputs_of(const C& cell) {
  SideInputs list;
  if constexpr (requires { cell.side_inputs(list); }) cell.side_inputs(list);
  return list;
}

/// Gives a cell the handles of a part of the pass while it lives.
class SideScope {
 public:
  SideScope(const SideInputs& sides, std::span<const Var> inside) {
    for (std::size_t i = 0; i < inside.size(); ++i) {
      before_.push_back({sides.list()[i], *sides.list()[i]});
      *sides.list()[i] = inside[i];
    }
  }
  SideScope(const SideScope&) = delete;
  SideScope& operator=(const SideScope&) = delete;
  ~SideScope() {
    for (const auto& [place, value] : before_) *place = value;
  }

 private:
  std::vector<std::pair<Var*, Var>> before_;
};

}  // namespace detail

}  // namespace unroll::nn

namespace unroll {
using nn::SideInputs;
}
