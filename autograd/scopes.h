// Who computes: the modules, and the parts with a name, that are at work while nodes are recorded.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/system/error.h"

namespace unroll::autograd {

/// What is known of a C++ type whose objects open scopes.
struct ModuleType {
  std::string name;  // "Bidirectional<Gru>"
  bool is_cell;      // its time steps are those of its scope
  /// The path of a part in the module's own list of members, "layers.0.forward", if it is in there.
  std::optional<std::string> (*find)(const void* module, const void* part, const ModuleType& type_of_part);
};

/// A type as the compiler spells it out: "... [with T = unroll::nn::Gru]".
template <class T>
constexpr const char* type_name() {
  return __PRETTY_FUNCTION__;
}
/// The same without namespaces: "Bidirectional<Gru>".
std::string short_name(std::string_view type_name);

/// One record for each scope and line that enters it, found again in the passes that follow. A module has the
/// path that the outermost module around it lists it under, so that paths are those of parameters; else the
/// name that it is given, or that of its type, inside the path of the scope around it: "Stack", and "Stack#2"
/// for another in the same pass.
class Scopes {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::uint32_t kForgotten = 0;

  struct Record {
    std::string path;
    std::uint32_t parent;    // the scope around it, or kNone
    const ModuleType* type;  // nullptr for a part that is only a name
    const void* module;      // may be gone when its scope is closed
    std::uint32_t pass;      // in which it was entered last; kForgotten if the record is free
    std::uint32_t next;      // the scope that was entered after it last time, a good guess for the next time
    std::optional<std::string> name;  // that it was given
    SourceLocation location;          // the line that called the module; line 0 if that is not known
  };

  std::uint32_t enter(std::uint32_t around, std::string_view name);
  /// `module`, and all modules around it, must be alive.
  std::uint32_t enter(std::uint32_t around, const void* module, const ModuleType& type,
                      std::optional<std::string_view> name, SourceLocation location);
  /// The scope of another tape, and those around it.
  std::uint32_t enter(const Scopes& other, std::uint32_t scope);
  /// Modules may have moved: what is not entered in the new pass can become another's record. Those that have
  /// not been entered for some passes are forgotten, but for `open` and the scopes around it.
  void new_pass(std::uint32_t open);

  /// A number for each recurrence of a pass.
  std::uint32_t new_recurrence() { return recurrences_++; }

  std::size_t size() const { return records_.size(); }
  const Record& operator[](std::uint32_t scope) const { return records_[scope]; }

 private:
  template <class Same>
  std::uint32_t find(Same same) const;
  std::uint32_t entered(std::uint32_t scope);
  std::uint32_t add(std::uint32_t around, const void* module, const ModuleType* type,
                    std::optional<std::string_view> name, std::string path, SourceLocation location);
  std::optional<std::string> listed(std::uint32_t around, const void* module, const ModuleType& type) const;
  std::string inside(std::uint32_t around, std::string_view name) const;

  std::vector<Record> records_;
  std::vector<std::uint32_t> free_;
  std::uint32_t last_ = kNone;  // entered last
  std::uint32_t pass_ = 1;
  std::uint32_t recurrences_ = 0;
};

}  // namespace unroll::autograd
