#include "autograd/system/error.h"

#include <fmt/format.h>

#include "autograd/system/message.h"

namespace unroll::autograd {

namespace {
std::string compose(std::string_view op, std::string_view message, SourceLocation location) {
  return one_line(location.line > 0
                      ? fmt::format("[{}] {} ({}:{})", op, message, location.file, location.line)
                      : fmt::format("[{}] {}", op, message));
}
}  // namespace

Error::Error(std::string_view op, std::string_view message, SourceLocation location)
    : std::runtime_error(compose(op, message, location)), location_(location) {}

Error Error::called_from(SourceLocation caller) const {
  if (caller.line == location_.line && std::string_view(caller.file) == location_.file) return *this;
  return {fmt::format("{}, called from {}:{}", what(), caller.file, caller.line), caller};
}

void fail(std::string_view op, std::string_view message, SourceLocation location) {
  throw Error(op, message, location);
}

}  // namespace unroll::autograd
