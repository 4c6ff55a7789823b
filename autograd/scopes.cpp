#include "autograd/scopes.h"

#include <algorithm>

namespace unroll::autograd {

std::string short_name(std::string_view pretty) {
  const std::size_t begin = pretty.find("= "), end = pretty.rfind(']');
  if (begin == std::string_view::npos || end == std::string_view::npos) return std::string(pretty);
  std::string name;
  int depth = 0;  // of parentheses: "(anonymous namespace)", the parameters of a function around a local type
  for (char c : pretty.substr(begin + 2, end - begin - 2)) {
    depth += c == '(';
    if (depth == 0 && !(c == ' ' && name.ends_with('>'))) name += c;
    depth -= c == ')';
    if (name.ends_with("::")) name.resize(name.find_last_of("<, ") + 1);  // npos + 1 is 0
  }
  return name;
}

namespace {
constexpr std::uint32_t kKeptPasses = 16;

bool same_line(SourceLocation a, SourceLocation b) { return a.line == b.line && a.file == b.file; }
}  // namespace

// A guess first: passes are alike.
template <class Same>
std::uint32_t Scopes::find(Same same) const {
  const std::uint32_t guess = last_ == kNone ? kNone : records_[last_].next;
  if (guess != kNone && same(records_[guess])) return guess;
  const auto found = std::ranges::find_if(records_, same);
  return found == records_.end() ? kNone : static_cast<std::uint32_t>(found - records_.begin());
}

std::uint32_t Scopes::entered(std::uint32_t scope) {
  records_[scope].pass = pass_;
  if (last_ != kNone) records_[last_].next = scope;
  return last_ = scope;
}

std::uint32_t Scopes::enter(std::uint32_t around, std::string_view name) {
  const std::uint32_t known =
      find([&](const Record& r) { return r.parent == around && !r.type && r.name == name; });
  return entered(known != kNone ? known : add(around, nullptr, nullptr, name, inside(around, name), {}));
}

std::uint32_t Scopes::enter(std::uint32_t around, const void* module, const ModuleType& type,
                            std::optional<std::string_view> given, SourceLocation location) {
  auto is_it = [&](const Record& r) {
    return r.parent == around && r.module == module && r.type == &type && r.name == given &&
           same_line(r.location, location);
  };
  if (around != kNone && records_[around].module == module && records_[around].type == &type) return around;
  if (const std::uint32_t known = find(is_it); known != kNone) return entered(known);

  const std::optional<std::string> list = listed(around, module, type);
  const std::string_view name = given ? *given : std::string_view(type.name).substr(0, type.name.find('<'));
  std::string path = list ? *list : inside(around, name);
  auto is_called_so = [&](const Record& r) {
    return r.parent == around && r.type == &type && r.path == path;
  };
  auto is_anothers = [&](const Record& r) {
    return is_called_so(r) && r.pass == pass_ && r.module != module;
  };
  for (int number = 2; !list && std::ranges::any_of(records_, is_anothers); ++number)
    path = inside(around, name) + "#" + std::to_string(number);
  auto has_moved = [&](const Record& r) {
    return is_called_so(r) && r.pass != pass_ && r.name == given && same_line(r.location, location);
  };
  const auto moved = std::ranges::find_if(records_, has_moved);
  if (moved == records_.end()) return entered(add(around, module, &type, given, std::move(path), location));
  const auto scope = static_cast<std::uint32_t>(moved - records_.begin());
  moved->module = module;
  for (Record& r : records_)  // its parts are elsewhere, too
    if (r.parent == scope) r.module = nullptr;
  return entered(scope);
}

std::uint32_t Scopes::enter(const Scopes& other, std::uint32_t scope) {
  if (scope == kNone) return kNone;
  const Record& r = other[scope];
  const std::uint32_t around = enter(other, r.parent);
  const std::uint32_t mine =
      r.type ? enter(around, r.module, *r.type, r.name, r.location) : enter(around, *r.name);
  records_[mine].path = r.path;  // its number may have come from others there
  return mine;
}

std::uint32_t Scopes::add(std::uint32_t around, const void* module, const ModuleType* type,
                          std::optional<std::string_view> name, std::string path, SourceLocation location) {
  Record record{std::move(path),
                around,
                type,
                module,
                pass_,
                kNone,
                name ? std::optional<std::string>(*name) : std::nullopt,
                location};
  if (free_.empty()) {
    records_.push_back(std::move(record));
    return static_cast<std::uint32_t>(records_.size() - 1);
  }
  const std::uint32_t scope = free_.back();
  free_.pop_back();
  records_[scope] = std::move(record);
  return scope;
}

// Open ones are in use in the new pass, too. So a scope is never forgotten before those in it are.
void Scopes::new_pass(std::uint32_t open) {
  ++pass_;
  recurrences_ = 0;
  for (std::uint32_t scope = open; scope != kNone; scope = records_[scope].parent)
    records_[scope].pass = pass_;
  for (std::uint32_t scope = 0; scope < records_.size(); ++scope) {
    Record& r = records_[scope];
    if (r.pass == kForgotten || r.pass + kKeptPasses >= pass_) continue;
    r = {{}, kNone, nullptr, nullptr, kForgotten, kNone, {}, {}};
    free_.push_back(scope);
  }
}

std::optional<std::string> Scopes::listed(std::uint32_t around, const void* module,
                                          const ModuleType& type) const {
  std::optional<std::string> path;
  for (std::uint32_t scope = around; scope != kNone; scope = records_[scope].parent) {
    const Record& r = records_[scope];
    if (!r.module || !r.type->find) continue;
    if (const auto found = r.type->find(r.module, module, type)) path = inside(scope, *found);
  }
  return path;
}

std::string Scopes::inside(std::uint32_t around, std::string_view name) const {
  if (around == kNone || records_[around].path.empty()) return std::string(name);
  return name.empty() ? records_[around].path : records_[around].path + "." + std::string(name);
}

}  // namespace unroll::autograd
