// Numbers too small to matter that cost a hundred cycles each.
#pragma once

namespace unroll::ops {

/// While it lives, this thread takes denormal numbers for zero, as operands and as results (FTZ and DAZ of
/// the MXCSR); gates that close make many of them. Other threads are not touched. On processors other than
/// x86 it does nothing. It ends on the thread that it began on. Inside of another one it costs next to
/// nothing, on its own some 4 ns.
class FlushDenormals {
 public:
  FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
  ~FlushDenormals();
};

}  // namespace unroll::ops

namespace unroll {
using ops::FlushDenormals;
}
