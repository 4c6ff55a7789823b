// What a caller's mistake becomes: one line that names what came and what was needed.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace unroll::autograd {

/// The user's own file and line. std::source_location does not exist with clang 14 and libstdc++ 12.
struct Where {
  const char* file = "";
  int line = 0;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Thrown for every mistake of a caller; what() is "[op] what came; what was needed (file:line)".
class Error : public std::runtime_error {
 public:
  Error(std::string_view op, std::string_view message, Where where = {});
  Where where() const { return where_; }
  /// The same with ", called from file:line" for a user who did not write the line at where().
  Error called_from(Where caller) const;

 private:
  Error(const std::string& what, Where where) : std::runtime_error(what), where_(where) {}

  Where where_;
};

[[noreturn]] void fail(std::string_view op, std::string_view message, Where where = {});

}  // namespace unroll::autograd

namespace unroll {
using autograd::Error;
using autograd::Where;
}  // namespace unroll
