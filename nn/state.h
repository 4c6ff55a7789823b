// What a recurrent cell carries from step to step: a Var, or a struct of up to four Vars.
#pragma once
#include <array>
#include <type_traits>
#include <vector>

#include "autograd/tape.h"
#include "ops/random.h"

namespace unroll::nn {

namespace detail {
template <class S, std::size_t... I>
concept HasFields = requires {
  S{(static_cast<void>(I), Var())...};
};

template <class S>
constexpr int field_count() {
  if constexpr (HasFields<S, 0, 1, 2, 3>)
    return 4;
  else if constexpr (HasFields<S, 0, 1, 2>)
    return 3;
  else if constexpr (HasFields<S, 0, 1>)
    return 2;
  else
    return 1;
}
}  // namespace detail

/// The Vars of a state, in order; the first is the cell's output.
template <class S>
auto fields(S& state) {
  using V = std::conditional_t<std::is_const_v<S>, const Var, Var>;
  if constexpr (std::is_same_v<std::remove_const_t<S>, Var>) {
    return std::array<V*, 1>{&state};
  } else if constexpr (constexpr int n = detail::field_count<std::remove_const_t<S>>(); n == 1) {
    auto& [a] = state;
    return std::array<V*, 1>{&a};
  } else if constexpr (n == 2) {
    auto& [a, b] = state;
    return std::array<V*, 2>{&a, &b};
  } else if constexpr (n == 3) {
    auto& [a, b, c] = state;
    return std::array<V*, 3>{&a, &b, &c};
  } else {
    auto& [a, b, c, d] = state;
    return std::array<V*, 4>{&a, &b, &c, &d};
  }
}

/// The same state with f applied to each Var.
template <class S, class F>
S map_state(S state, F&& f) {
  for (Var* v : fields(state)) *v = f(*v);
  return state;
}

/// A state with normally distributed numbers in place of those of `like`.
template <class S>
S random_state(S like, double deviation, Generator& generator) {
  return map_state(like, [&](Var v) {
    Tensor numbers(v.shape(), v.dtype());
    for (Index i = 0; i < numbers.size(); ++i) numbers.set(i, deviation * generator.normal());
    return v.tape().constant(numbers);
  });
}

/// The numbers of states, carried from one tape to the next (truncated backpropagation through time: values
/// go on, gradients stop). One Carry holds the states of all layers and directions, by position.
class Carry {
 public:
  bool empty() const { return tensors_.empty(); }
  void clear() { tensors_.clear(); }
  /// Keeps a copy of the numbers of state number `position`.
  template <class S>
  void store(std::size_t position, const S& state) {
    std::size_t i = position * fields(state).size();
    for (const Var* v : fields(state)) keep(i++, *v);
  }
  /// State number `position` as constants of `tape`.
  template <class S>
  S load(std::size_t position, autograd::Tape& tape) const {
    S state;
    std::size_t i = position * fields(state).size();
    for (Var* v : fields(state)) *v = tape.constant(tensor(i++));
    return state;
  }
  std::vector<Tensor>& tensors() { return tensors_; }

 private:
  void keep(std::size_t i, Var v);
  const Tensor& tensor(std::size_t i) const;
  std::vector<Tensor> tensors_;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Carry;
using nn::random_state;
}  // namespace unroll
