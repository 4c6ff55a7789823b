// What a caller's mistake becomes: one line that names what came and what was needed.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace unroll::autograd {

/// The user's own file and line. std::source_location does not exist with clang 14 and libstdc++ 12.
struct SourceLocation {
  const char* file = "";
  int line = 0;
  static constexpr SourceLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Thrown for every mistake of a caller; what() is "[op] what came; what was needed (file:line)".
class Error : public std::runtime_error {
 public:
  Error(std::string_view op, std::string_view message, SourceLocation location = {});
  SourceLocation location() const { return location_; }
  /// The same with ", called from file:line" for a user who did not write the line at where().
  Error called_from(SourceLocation caller) const;

 private:
  Error(const std::string& what, SourceLocation location) : std::runtime_error(what), location_(location) {}

  SourceLocation location_;
};

[[noreturn]] void fail(std::string_view op, std::string_view message, SourceLocation location = {});

}  // namespace unroll::autograd

namespace unroll {
using autograd::Error;
using autograd::SourceLocation;
}  // namespace unroll
