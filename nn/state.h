// What a recurrent cell carries from step to step: a Var, or any number of them in structs and std::arrays,
// one inside the other.
#pragma once
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "ops/random.h"

namespace unroll::nn {

namespace detail {

// Converts to whatever a struct is made of, but not to the struct itself.
template <class S>
struct AnyMember {
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, S>) operator T() const;
};
template <class S, std::size_t... I>
concept HasMembers = requires {
  S{(static_cast<void>(I), AnyMember<S>())...};
};
constexpr int kMostMembers = 12;

template <class S, std::size_t... I>
consteval int member_count(std::index_sequence<I...>) {
  if constexpr (HasMembers<S, I...>)
    return sizeof...(I);
  else
    return member_count<S>(std::make_index_sequence<sizeof...(I) - 1>());
}

// f(member) for each member of a struct, in order.
template <class S, class F>
constexpr void each_member(S& s, F f) {
  static_assert(std::is_aggregate_v<std::remove_const_t<S>>,
                "a state is a Var, an array of Vars, or a struct of such without constructors");
  constexpr int n = member_count<std::remove_const_t<S>>(std::make_index_sequence<kMostMembers>());
  auto all = [&](auto&... members) { (f(members), ...); };
  if constexpr (n == 1) {
    auto& [m1] = s;
    all(m1);
  } else if constexpr (n == 2) {
    auto& [m1, m2] = s;
    all(m1, m2);
  } else if constexpr (n == 3) {
    auto& [m1, m2, m3] = s;
    all(m1, m2, m3);
  } else if constexpr (n == 4) {
    auto& [m1, m2, m3, m4] = s;
    all(m1, m2, m3, m4);
  } else if constexpr (n == 5) {
    auto& [m1, m2, m3, m4, m5] = s;
    all(m1, m2, m3, m4, m5);
  } else if constexpr (n == 6) {
    auto& [m1, m2, m3, m4, m5, m6] = s;
    all(m1, m2, m3, m4, m5, m6);
  } else if constexpr (n == 7) {
    auto& [m1, m2, m3, m4, m5, m6, m7] = s;
    all(m1, m2, m3, m4, m5, m6, m7);
  } else if constexpr (n == 8) {
    auto& [m1, m2, m3, m4, m5, m6, m7, m8] = s;
    all(m1, m2, m3, m4, m5, m6, m7, m8);
  } else if constexpr (n == 9) {
    auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9] = s;
    all(m1, m2, m3, m4, m5, m6, m7, m8, m9);
  } else if constexpr (n == 10) {
    auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10] = s;
    all(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10);
  } else if constexpr (n == 11) {
    auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = s;
    all(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
  } else {
    auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12] = s;
    all(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12);
  }
}

template <class S>
struct IsArray : std::false_type {};
template <class X, std::size_t N>
struct IsArray<std::array<X, N>> : std::true_type {};

// f(v) for each Var of a state, in order.
template <class S, class F>
constexpr void each_var(S& state, F& f) {
  if constexpr (std::is_same_v<std::remove_const_t<S>, Var>)
    f(state);
  else if constexpr (IsArray<std::remove_const_t<S>>::value)
    for (auto& part : state) each_var(part, f);
  else
    each_member(state, [&](auto& part) { each_var(part, f); });
}

template <class S>
consteval std::size_t var_count() {
  if constexpr (std::is_same_v<S, Var>) {
    return 1;
  } else if constexpr (IsArray<S>::value) {
    return std::tuple_size_v<S> * var_count<typename S::value_type>();
  } else {
    std::size_t count = 0;
    S state{};
    each_member(state, [&]<class M>(const M&) { count += var_count<M>(); });
    return count;
  }
}
}  // namespace detail

/// How many Vars a state has.
template <class S>
inline constexpr std::size_t field_count = detail::var_count<std::remove_const_t<S>>();

/// The Vars of a state, in order; the first is the cell's output.
template <class S>
auto fields(S& state) {
  using V = std::conditional_t<std::is_const_v<S>, const Var, Var>;
  std::array<V*, field_count<S>> list{};
  std::size_t i = 0;
  auto add = [&](V& v) { list[i++] = &v; };
  detail::each_var(state, add);
  return list;
}

/// The same as handles.
template <class S>
std::array<Var, field_count<S>> vars(const S& state) {
  std::array<Var, field_count<S>> list;
  std::size_t i = 0;
  auto add = [&](const Var& v) { list[i++] = v; };
  detail::each_var(state, add);
  return list;
}

/// The same state with f applied to each Var.
template <class S, class F>
S map_state(S state, F&& f) {
  auto apply = [&](Var& v) { v = f(v); };
  detail::each_var(state, apply);
  return state;
}

/// A state with normally distributed values in place of those of `like`.
template <class S>
S random_state(S like, double deviation, Generator& generator) {
  return map_state(like, [&](Var v) {
    Tensor values(v.shape(), v.dtype());
    for (Index i = 0; i < values.size(); ++i) values.set(i, deviation * generator.normal());
    return v.tape().constant(values);
  });
}

/// The values of states, carried from one tape to the next (truncated backpropagation through time: values
/// go on, gradients stop). One Carry holds the states of all layers and directions, by position.
class Carry {
 public:
  bool empty() const { return tensors_.empty(); }
  void clear() { tensors_.clear(); }
  /// Keeps a copy of the values of state number `position`.
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
