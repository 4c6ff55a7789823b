#include "ops/gemm/blas.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>

#include "ops/gemm/packed_gemm.h"

namespace unroll::ops {

namespace {

// OpenBLAS goes parallel from 262,144 multiplications on, which loses; and two parallel calls at once are
// unsafe.
const bool single_threaded = (openblas_set_num_threads(1), true);

// OpenBLAS takes a processor that is younger than itself for an old one: Debian 12's 0.3.21 runs SSE3 kernels
// ("Prescott") on Intel's Emerald Rapids, at a quarter of the speed.
bool behind() {
  if (!kPackedPays) return false;
#if defined(__x86_64__)
  constexpr std::array<std::string_view, 3> wide{"SkylakeX", "Cooperlake", "SapphireRapids"};
  constexpr std::array<std::string_view, 5> fused{"Haswell", "Zen", "Excavator", "Steamroller", "Piledriver"};
  const std::string_view core = openblas_get_corename();
  if (std::ranges::find(wide, core) != wide.end()) return false;
#if !defined(__AVX512F__)
  if (std::ranges::find(fused, core) != fused.end()) return false;
#else
  (void)fused;
#endif
  return true;
#else
  return false;
#endif
}
const bool openblas_is_behind = behind();

CBLAS_TRANSPOSE flag(Transpose t) { return t == Transpose::yes ? CblasTrans : CblasNoTrans; }
blasint extent(autograd::Index n) { return static_cast<blasint>(n); }
blasint leading(autograd::Index stride) { return static_cast<blasint>(std::max<autograd::Index>(stride, 1)); }

template <class T, class Gemm>
void multiply(Gemm cblas, Transpose ta, Transpose tb, View<const T> a, View<const T> b, T beta, View<T> c) {
  const autograd::Index m = c.rows(), n = c.cols(), k = ta == Transpose::yes ? a.rows() : a.cols();
  assert(single_threaded);
  assert((ta == Transpose::yes ? a.cols() : a.rows()) == m &&
         (tb == Transpose::yes ? b.rows() : b.cols()) == n);
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (beta == T(0))
      for (autograd::Index r = 0; r < m; ++r) std::fill_n(c.row(r), n, T(0));
    return;
  }
  if (openblas_is_behind && (beta == T(0) || beta == T(1))) {
    const View<const T> addend = beta == T(0) ? View<const T>() : View<const T>(c);
    return multiply<T>(ta, a, tb, b, addend, c);
  }
  cblas(CblasRowMajor, flag(ta), flag(tb), extent(m), extent(n), extent(k), T(1), a.data,
        leading(std::max(a.stride, a.cols())), b.data, leading(std::max(b.stride, b.cols())), beta, c.data,
        leading(std::max(c.stride, c.cols())));
}

}  // namespace

void gemm(Transpose ta, Transpose tb, View<const float> a, View<const float> b, float beta, View<float> c) {
  multiply<float>(cblas_sgemm, ta, tb, a, b, beta, c);
}
void gemm(Transpose ta, Transpose tb, View<const double> a, View<const double> b, double beta,
          View<double> c) {
  multiply<double>(cblas_dgemm, ta, tb, a, b, beta, c);
}

}  // namespace unroll::ops
