#include "nn/module.h"

#include <fmt/format.h>

#include <algorithm>

#include "nn/named_tensor.h"

namespace unroll::nn {

std::vector<NamedParameter> parameters(std::initializer_list<Parameter*> list) {
  std::vector<NamedParameter> named;
  for (Parameter* p : list) named.push_back({p->name(), p});
  return named;
}

std::optional<std::string> detail::path_of(const Members& list, const void* module,
                                           const autograd::ModuleType& type) {
  const auto found = std::ranges::find_if(list.modules(), [&](const NamedModule& m) {
    return m.module == module && m.type->name == type.name;  // a library and a program may each have the type
  });
  return found == list.modules().end() ? std::nullopt : std::optional(found->path);
}

Shape detail::weight_shape(const char* module, Index in, Index out, SourceLocation location) {
  if (in < 1 || out < 1)
    autograd::fail(module, fmt::format("widths {} and {} came; needed at least 1", in, out), location);
  return {in, out};
}

std::vector<NamedParameter> detail::select(std::vector<NamedParameter> all,
                                           std::initializer_list<std::string_view> paths, bool selected,
                                           SourceLocation location) {
  auto below = [](const std::string& p, std::string_view path) {
    return p.starts_with(path) && (p.size() == path.size() || p[path.size()] == '.');
  };
  for (std::string_view path : paths)
    if (std::ranges::none_of(all, [&](const NamedParameter& p) { return below(p.path, path); }))
      autograd::fail("parameters",
                     fmt::format("{} came; needed the path of a parameter or of a module with parameters{}",
                                 in_quotes(path), all.empty() ? "" : ", such as " + in_quotes(all[0].path)),
                     location);
  std::erase_if(all, [&](const NamedParameter& p) {
    return selected != std::ranges::any_of(paths, [&](std::string_view path) { return below(p.path, path); });
  });
  return all;
}

}  // namespace unroll::nn
