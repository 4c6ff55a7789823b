#include "models/data/counted.h"

#include <doctest/doctest.h>

namespace unroll::models {

TEST_CASE("numbers of things as people write them") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(61234) == "61,234");
  CHECK(with_commas(-1234567) == "-1,234,567");
  CHECK(counted(1, "thread") == "1 thread");
  CHECK(counted(0, "word") == "0 words");
  CHECK(counted(1234, "word") == "1,234 words");
}

}  // namespace unroll::models
