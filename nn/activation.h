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
  using Function = Var (*)(Var, SourceLocation);
  using FunctionWithNumber = Var (*)(Var, double, SourceLocation);

  Activation(Function function) {
    keep([function](Var x, SourceLocation location) { return function(x, location); });
  }
  Activation(FunctionWithNumber function, double number) {
    keep([function, number](Var x, SourceLocation location) { return function(x, number, location); });
  }
  template <class F>
  requires(!std::same_as<F, Activation> && std::is_invocable_r_v<Var, const F&, Var, SourceLocation>)
      Activation(F function) {
    keep(function);
  }

  Var operator()(Var x, SourceLocation location = SourceLocation::current()) const {
    return call_(captured_, x, location);
  }

 private:
  template <class F>
  void keep(F function) {
    static_assert(sizeof(F) <= sizeof captured_ && std::is_trivially_copyable_v<F>,
                  "an activation captures two numbers at most");
    new (captured_) F(function);
    call_ = [](const std::byte* captured, Var x, SourceLocation location) {
      return (*std::launder(reinterpret_cast<const F*>(captured)))(x, location);
    };
  }

  Var (*call_)(const std::byte* captured, Var x, SourceLocation location);
  alignas(double) std::byte captured_[2 * sizeof(double)] = {};
};

}  // namespace unroll::nn

namespace unroll {
using nn::Activation;
}
