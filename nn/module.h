// What a module is: any struct that lists its parameters and children by name, once.
//
//   struct Classifier {
//     Embedding words;
//     Linear head;
//     void members(Members& m) { m("words", words), m("head", head); }
//   };
//
// Saving, loading, counting, initialising and optimising all go through that one list, and the names of
// modules in what a tape shows come from it (enter). A path is data of the listing: a parameter has one in
// each model that it is part of, and listing changes nothing.
#pragma once
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/tape.h"

namespace unroll::nn {

using autograd::NamedParameter;

template <class M>
const autograd::ModuleType& module_type();

/// A module and its path in a model, "encoder.layers.0.forward".
struct NamedModule {
  std::string path;
  const void* module;
  const autograd::ModuleType* type;  // a struct has the address of its first member: both make the module
};

/// Collects parameters under their paths, "encoder.layers.0.forward.weight_hh", and the modules on the way.
class Members {
 public:
  void operator()(std::string_view name, Parameter& parameter) {
    parameters_.push_back({path(name), &parameter});
  }
  template <class M>
  requires requires(M& m, Members& self) { m.members(self); }
  void operator()(std::string_view name, M& module) {
    const std::size_t length = prefix_.size();
    prefix_ = path(name) + ".";
    (*this)(module);
    prefix_.resize(length);
  }
  /// For a module that only wraps another: the members of that are listed as its own.
  template <class M>
  requires requires(M& m, Members& self) { m.members(self); }
  void operator()(M& module) {
    modules_.push_back({prefix_.substr(0, prefix_.size() - !prefix_.empty()), &module, &module_type<M>()});
    module.members(*this);
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

  std::vector<NamedParameter>& parameters() { return parameters_; }
  const std::vector<NamedModule>& modules() const { return modules_; }

 private:
  std::string path(std::string_view name) const { return prefix_ + std::string(name); }
  std::string prefix_;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedModule> modules_;
};

template <class M>
concept Module = requires(M& m, Members& list) {
  m.members(list);
};

/// All parameters in the order of the lists.
template <Module M>
std::vector<NamedParameter> parameters(M& module) {
  Members list;
  module.members(list);
  return std::move(list.parameters());
}
/// Parameters without a model, by their own names.
std::vector<NamedParameter> parameters(std::initializer_list<Parameter*> list);

namespace detail {
std::optional<std::string> path_of(const Members& list, const void* module, const autograd::ModuleType& type);
std::vector<NamedParameter> select(std::vector<NamedParameter> all,
                                   std::initializer_list<std::string_view> paths, bool selected,
                                   SourceLocation location);
/// The shape of a weight; throws Error unless both extents are at least 1.
Shape weight_shape(const char* module, Index in, Index out, SourceLocation location);
}  // namespace detail

/// Those at a path and below it, under their paths in the whole model: parameters(model, "head"). Throws
/// Error if there is none.
template <Module M>
std::vector<NamedParameter> parameters(M& module, std::string_view path,
                                       SourceLocation location = SourceLocation::current()) {
  return detail::select(parameters(module), {path}, true, location);
}
/// All others: parameters_except(model, {"words", "head"}).
template <Module M>
std::vector<NamedParameter> parameters_except(M& module, std::initializer_list<std::string_view> paths,
                                              SourceLocation location = SourceLocation::current()) {
  return detail::select(parameters(module), paths, false, location);
}

template <Module M>
Index parameter_count(const M& module) {
  Index count = 0;
  for (const NamedParameter& p : parameters(const_cast<M&>(module))) count += p.parameter->shape().size();
  return count;
}

/// Converts all parameters, for instance to f64 before a gradient check.
template <Module M>
void convert(M& module, DType dtype) {
  for (const NamedParameter& p : parameters(module))
    p.parameter->change("convert", {}) = std::as_const(*p.parameter).value().to(dtype);
}

namespace detail {
template <class M>
concept HasSteps = requires(const M& cell, autograd::Tape& tape) {
  cell.initial(tape, Index{1});
};
}  // namespace detail

/// The type of a module, or of a cell without members.
template <class M>
const autograd::ModuleType& module_type() {
  static const autograd::ModuleType type{
      autograd::short_name(autograd::type_name<M>()), detail::HasSteps<M>,
      [](const void* module, const void* part,
         const autograd::ModuleType& type_of_part) -> std::optional<std::string> {
        Members list;
        if constexpr (Module<M>) const_cast<M*>(static_cast<const M*>(module))->members(list);
        return detail::path_of(list, part, type_of_part);
      }};
  return type;
}

/// What is recorded while the result lives is the work of this module:
///
///   Var operator()(Var x) const {
///     const auto scope = enter(x.tape(), *this);
///
/// The modules of this library and all cells do so. A module is shown under its path in the outermost module
/// around it that lists it; otherwise under `name`, by default its type's. A whole model has the name "":
/// then the paths inside are those of parameters(model). `where` is the line that called the module.
template <class M>
[[nodiscard]] autograd::Tape::Scope enter(autograd::Tape& tape, const M& module,
                                          std::optional<std::string_view> name,
                                          SourceLocation location = {}) {
  return tape.scope(&module, module_type<M>(), name, location);
}
template <class M>
[[nodiscard]] autograd::Tape::Scope enter(autograd::Tape& tape, const M& module,
                                          SourceLocation location = {}) {
  return enter(tape, module, std::nullopt, location);
}

}  // namespace unroll::nn

namespace unroll {
using nn::convert;
using nn::enter;
using nn::Members;
using nn::Module;
using nn::parameter_count;
using nn::parameters;
using nn::parameters_except;
}  // namespace unroll
