#include "ops/denormals.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unroll::ops {

#ifdef __SSE2__
namespace {
constexpr unsigned kFlush = 0x8000 | 0x0040;  // results, operands
// Reading the register takes as long as a small product, as it waits for what is being computed.
thread_local int scopes = 0;  // of this thread that are alive
}  // namespace

FlushDenormals::FlushDenormals() : before_(kFlush) {
  if (scopes++ > 0) return;
  before_ = _mm_getcsr();
  if ((before_ & kFlush) != kFlush) _mm_setcsr(before_ | kFlush);
}
FlushDenormals::~FlushDenormals() {
  --scopes;
  if ((before_ & kFlush) != kFlush) _mm_setcsr(before_);
}
#else
FlushDenormals::FlushDenormals() : before_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace unroll::ops
