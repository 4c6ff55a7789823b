// A function of one Var as a value, for cells and heads that have one.
#pragma once
#include <concepts>
#include <cstddef>
#include <new>
#include <type_traits>

#include "autograd/tape.h"
#include "ops/elementwise.h"

namespace unroll::nn {

/// A function such as relu, one with a number such as {leaky_relu, 0.1}, or a lambda of (Var, Where) that
/// captures up to two numbers. Trivially copyable; holds no memory.
class Activation {
 public:
  using Function = Var (*)(Var, Where);
  using FunctionWithNumber = Var (*)(Var, double, Where);

  Activation(Function function) {
    keep([function](Var x, Where where) { return function(x, where); });
  }
  Activation(FunctionWithNumber function, double number) {
    keep([function, number](Var x, Where where) { return function(x, number, where); });
  }
  template <class F>
  requires(!std::same_as<F, Activation> && std::is_invocable_r_v<Var, const F&, Var, Where>)
      Activation(F function) {
    keep(function);
  }

  Var operator()(Var x, Where where = Where::here()) const { return call_(captured_, x, where); }

 private:
  template <class F>
  void keep(F function) {
    static_assert(sizeof(F) <= sizeof captured_ && std::is_trivially_copyable_v<F>,
                  "an activation captures two numbers at most");
    new (captured_) F(function);
    call_ = [](const std::byte* captured, Var x, Where where) {
      return (*std::launder(reinterpret_cast<const F*>(captured)))(x, where);
    };
  }

  Var (*call_)(const std::byte* captured, Var x, Where where);
  alignas(double) std::byte captured_[2 * sizeof(double)] = {};
};

}  // namespace unroll::nn

namespace unroll {
using nn::Activation;
}
