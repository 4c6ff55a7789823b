#include "ops/simd/denormals.h"

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <utility>

namespace unroll::ops {

#ifdef __SSE2__
TEST_CASE("denormals are flushed inside of the scope and nowhere else") {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float denormal = smallest / 4;
  CHECK(denormal > 0);
  {
    const FlushDenormals outer;
    CHECK(smallest / 2 == 0);      // as a result
    CHECK(denormal * 1e30F == 0);  // as an operand
    { const FlushDenormals inner; }
    CHECK(smallest / 2 == 0);  // the inner scope restored what the outer had set
  }
  CHECK(smallest / 2 > 0);
  // Scopes that are not nested: the last one ends it.
  std::optional<FlushDenormals> first(std::in_place), second(std::in_place);
  first.reset();
  CHECK(smallest / 2 == 0);
  second.reset();
  CHECK(smallest / 2 > 0);
}
#endif

}  // namespace unroll::ops
