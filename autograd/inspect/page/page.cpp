#include "autograd/inspect/page/page.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "autograd/inspect/page/files.h"
#include "autograd/system/atomic_file.h"

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

// Five digits, which is more than a figure shows, in a third of the room.
void shorten(nlohmann::json& j) {
  if (j.is_number_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", j.get<double>());
    j = std::strtod(text, nullptr);
  } else if (j.is_structured()) {
    for (nlohmann::json& inner : j) shorten(inner);
  }
}

}  // namespace

std::string page_of(nlohmann::json report) {
  shorten(report);
  if (const auto graph = report.find("graph"); graph != report.end()) graph->erase("links");
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

void write_page(const std::string& path, nlohmann::json report, autograd::SourceLocation location) {
  autograd::replace_file(path, page_of(std::move(report)), location);
}

}  // namespace unroll::inspect
