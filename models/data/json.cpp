#include "models/data/json.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "autograd/system/message.h"

namespace unroll::models {

using nlohmann::json;

json parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of each object that is open
  const auto look = [&](int depth, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (depth >= kDeepestJson)
          throw JsonError(
              fmt::format("more than {} lists and objects inside one another came", kDeepestJson));
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        break;
      case json::parse_event_t::key:
        if (const auto& key = parsed.get_ref<const std::string&>(); !keys.back().insert(key).second)
          throw JsonError(fmt::format("the key {} came twice in one object", autograd::in_quotes(key)));
        break;
      case json::parse_event_t::object_end:
        keys.pop_back();
        break;
      default:
        break;
    }
    return true;
  };
  try {
    return json::parse(text, look);
  } catch (const json::parse_error& e) {
    const std::string_view what = e.what();  // "[json.exception.parse_error.101] parse error at line 1 ..."
    throw JsonError(std::string(what.substr(what.find(' ') + 1)));
  }
}

}  // namespace unroll::models
