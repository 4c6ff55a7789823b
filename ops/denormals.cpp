#include "ops/denormals.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unroll::ops {

#ifdef __SSE2__
namespace {
constexpr unsigned kFlush = 0x8000 | 0x0040;  // results, operands
// Reading the register waits for what is being computed, which takes as long as a small product; a branch by
// what was read, as whether to write it, may double that.
thread_local int scopes = 0;       // of this thread that are alive
thread_local unsigned before = 0;  // the register before the first of them
}  // namespace

FlushDenormals::FlushDenormals() {
  if (scopes++ > 0) return;
  before = _mm_getcsr();
  _mm_setcsr(before | kFlush);
}
FlushDenormals::~FlushDenormals() {
  if (--scopes == 0) _mm_setcsr(before);
}
#else
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace unroll::ops
