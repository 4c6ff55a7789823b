#include "ops/denormals.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unroll::ops {

#ifdef __SSE2__
namespace {
constexpr unsigned kFlushResults = 0x8000, kFlushOperands = 0x0040;
}
FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
  _mm_setcsr(before_ | kFlushResults | kFlushOperands);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(before_); }
#else
FlushDenormals::FlushDenormals() : before_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace unroll::ops
