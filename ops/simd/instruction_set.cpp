#include "ops/simd/instruction_set.h"

#include "ops/simd/simd.h"

namespace unroll::ops {

const char* instruction_set() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "AVX2";
#elif defined(__SSE2__)
  return "SSE2";
#else
  return xsimd::default_arch::name();
#endif
}

}  // namespace unroll::ops
