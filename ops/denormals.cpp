#include "ops/denormals.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unroll::ops {

#ifdef __SSE2__
namespace {
constexpr unsigned kFlush = 0x8000 | 0x0040;  // results, operands
}
// Writing the register takes as long as a small product: only where it says something else.
FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
  if ((before_ & kFlush) != kFlush) _mm_setcsr(before_ | kFlush);
}
FlushDenormals::~FlushDenormals() {
  if ((before_ & kFlush) != kFlush) _mm_setcsr(before_);
}
#else
FlushDenormals::FlushDenormals() : before_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace unroll::ops
