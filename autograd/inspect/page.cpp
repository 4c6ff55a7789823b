#include "autograd/inspect/page.h"

#include <nlohmann/json.hpp>

#include "autograd/inspect/page_files.h"

namespace unroll::inspect {

namespace {

// JSON that may stand in a script element: only "<" could end it, and "<" comes in strings alone.
std::string embedded(const nlohmann::json& json) {
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size() + text.size() / 64);
  for (const char c : text)
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

}  // namespace

std::string page_of(const nlohmann::json& report) {
  std::string out;
  std::string_view rest = detail::kPageHtml;
  const auto until = [&](std::string_view mark) {
    const std::size_t at = rest.find(mark);
    out += rest.substr(0, at);
    rest.remove_prefix(at + mark.size());
  };
  until("{css}");
  out += detail::kPageCss;
  until("{data}");
  out += embedded(report);
  until("{scripts}");
  for (const std::string_view script : detail::kPageScripts) out += script;
  return out += rest;
}

}  // namespace unroll::inspect
