#include "autograd/system/error.h"

#include <fmt/format.h>

#include "autograd/system/message.h"

namespace unroll::autograd {

namespace {
std::string compose(std::string_view op, std::string_view message, Where where) {
  return one_line(where.line > 0 ? fmt::format("[{}] {} ({}:{})", op, message, where.file, where.line)
                                 : fmt::format("[{}] {}", op, message));
}
}  // namespace

Error::Error(std::string_view op, std::string_view message, Where where)
    : std::runtime_error(compose(op, message, where)), where_(where) {}

Error Error::called_from(Where caller) const {
  return {fmt::format("{}, called from {}:{}", what(), caller.file, caller.line), caller};
}

void fail(std::string_view op, std::string_view message, Where where) { throw Error(op, message, where); }

}  // namespace unroll::autograd
