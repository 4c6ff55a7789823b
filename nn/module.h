// What a module is: any struct that lists its parameters and children by name, once.
//
//   struct Classifier {
//     Embedding words;
//     Linear head;
//     void members(Members& m) { m("words", words), m("head", head); }
//   };
//
// Saving, loading, counting, initialising and optimising all go through that one list.
#pragma once
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/parameter.h"

namespace unroll::nn {

/// Collects parameters under their paths, "encoder.0.forward.weight_hh".
class Members {
 public:
  void operator()(std::string_view name, Parameter& parameter) {
    parameter.rename(path(name));
    parameters_.push_back(&parameter);
  }
  template <class M>
  requires requires(M& m, Members& self) { m.members(self); }
  void operator()(std::string_view name, M& module) {
    const std::size_t length = prefix_.size();
    prefix_ = path(name) + ".";
    module.members(*this);
    prefix_.resize(length);
  }
  template <class X>
  void operator()(std::string_view name, std::vector<X>& list) {
    for (std::size_t i = 0; i < list.size(); ++i)
      (*this)(std::string(name) + "." + std::to_string(i), list[i]);
  }
  template <class X>
  void operator()(std::string_view name, std::optional<X>& optional) {
    if (optional) (*this)(name, *optional);
  }
  /// A struct without parameters has nothing to list.
  template <class X>
  requires std::is_empty_v<X>
  void operator()(std::string_view, X&) {}

  const std::vector<Parameter*>& parameters() const { return parameters_; }

 private:
  std::string path(std::string_view name) const { return prefix_ + std::string(name); }
  std::string prefix_;
  std::vector<Parameter*> parameters_;
};

template <class M>
concept Module = requires(M& m, Members& list) {
  m.members(list);
};

/// All parameters in the order of the lists; each is renamed to its path in `module`.
template <Module M>
std::vector<Parameter*> parameters(M& module) {
  Members list;
  module.members(list);
  return list.parameters();
}

template <Module M>
Index parameter_count(M& module) {
  Index count = 0;
  for (const Parameter* p : parameters(module)) count += p->shape().size();
  return count;
}

/// Converts all parameters, for instance to f64 before a gradient check.
template <Module M>
void convert(M& module, DType dtype) {
  for (Parameter* p : parameters(module)) p->value() = p->value().to(dtype);
}

}  // namespace unroll::nn

namespace unroll {
using nn::Members;
using nn::Module;
using nn::parameter_count;
using nn::parameters;
}  // namespace unroll
