// For which processors this library was built.
#pragma once

namespace unroll::ops {

/// "AVX-512", "AVX2" (with FMA), "SSE2", "NEON" and so on: what the library that runs here was built for. Of
/// a portable build (-Dcpu=portable) it is the one that the loader took.
const char* instruction_set();

}  // namespace unroll::ops

namespace unroll {
using ops::instruction_set;
}
