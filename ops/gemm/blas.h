// Products of matrices by OpenBLAS, on one thread: the library splits batches, not products. Where OpenBLAS
// does not know the processor and takes kernels of a lower instruction set than this was built for, by ours
// (ops/gemm/packed_gemm.h).
//
// gemv is never called: Debian 12's OpenBLAS 0.3.21 is reported to read out of bounds there.
#pragma once
#include "autograd/tensor/view.h"

namespace unroll::ops {

enum class Transpose : bool { no, yes };

/// c = beta c + a b, with a and b transposed where asked. Views may be strided. beta 0 assigns.
void gemm(Transpose ta, Transpose tb, View<const float> a, View<const float> b, float beta, View<float> c);
void gemm(Transpose ta, Transpose tb, View<const double> a, View<const double> b, double beta,
          View<double> c);

}  // namespace unroll::ops
