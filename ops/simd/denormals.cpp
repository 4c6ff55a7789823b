#include "ops/simd/denormals.h"

#include <cassert>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unroll::ops {

#ifdef __SSE2__
namespace {
constexpr unsigned kFlush = 0x8000 | 0x0040;  // results, operands
// Reading the register waits for what is being computed, which takes as long as a small product; a branch by
// what was read, as whether to write it, may double that.
thread_local struct {
  int scopes;       // of this thread that are alive
  unsigned before;  // the register before the first of them
} mode{};
}  // namespace

FlushDenormals::FlushDenormals() {
  auto& here = mode;
  if (here.scopes++ > 0) return;
  here.before = _mm_getcsr();
  _mm_setcsr(here.before | kFlush);
}
FlushDenormals::~FlushDenormals() {
  auto& here = mode;
  assert(here.scopes > 0);  // else it was made on another thread
  if (--here.scopes == 0) _mm_setcsr(here.before);
}
#else
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace unroll::ops
