// What a call complains about, for tests of messages.
#pragma once
#include <string>

#include "autograd/system/error.h"

namespace unroll::models {

/// The message of the Error that `call` throws, with every occurrence of `folder` taken out.
template <class F>
std::string complaint(F&& call, const std::string& folder = "") {
  std::string message = "none";
  try {
    call();
  } catch (const Error& e) {
    message = e.what();
  }
  for (std::size_t at; !folder.empty() && (at = message.find(folder)) != std::string::npos;)
    message.erase(at, folder.size());
  return message;
}

}  // namespace unroll::models
