// What the script of a report's page reads.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace unroll::tests {

inline nlohmann::json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = page.find(begin) + begin.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

}  // namespace unroll::tests
