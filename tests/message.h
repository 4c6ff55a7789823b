// What a call that is refused says.
#pragma once
#include <string>

#include "autograd/system/error.h"

namespace unroll::tests {

/// The message of the Error that f() throws; empty if it throws none.
std::string message(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace unroll::tests
