#include "autograd/inspect/page/page.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/page_data.h"

using namespace unroll;
using nlohmann::json;
using tests::data_of;

namespace {

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("the page holds the report, whatever its names are") {
  const json report = {{"title", "</script><script>alert(1)</script>{scripts}<!--"},
                       {"graph", {{"modules", {{{"path", "<b>{css}"}}}}}},
                       {"loss", 0.1 + 0.2}};
  const std::string page = inspect::page_of(report);
  json shown = report;
  shown["loss"] = 0.3;  // five digits
  CHECK(data_of(page) == shown);
  CHECK(count(page, "</script") == 2);
  CHECK(count(page, "<!--") == 0);
  CHECK(count(page, "alert") == 2);
}

TEST_CASE("bytes that are no UTF-8 do not break the page") {
  const std::string page = inspect::page_of({{"title", "caf\xe9.txt"}});
  CHECK(data_of(page)["title"] == "caf\xef\xbf\xbd.txt");
}

TEST_CASE("the page needs nothing from elsewhere") {
  const std::string page = inspect::page_of(json::object());
  CHECK(count(page, "http") == count(page, "http://www.w3.org/2000/svg") + count(page, "http-equiv"));
  for (const char* way : {" src=", "@import", "url(", "fetch(", "<link rel=\"stylesheet"}) {
    INFO(way);
    CHECK(count(page, way) == 0);
  }
  CHECK(count(page, "default-src 'none'") == 1);
}
