// Products with a matrix that was packed once and is used again and again, as the recurrent weights of a
// pass.
//
// The numbers of w [K, N] are laid out as the kernel reads them: blocks of rows, in each block panels of
// columns as wide as the accumulators in registers, padded with zeros to whole SIMD registers. A BLAS does
// the same anew at every call.
//
// Views are passed by reference: a copy would be read in wide pieces just after it was written in narrow
// ones.
//
// Every element is a sum over k = 0, 1, ... K - 1 in this order, one fused multiply-add each, to which the
// addend is added (behind the first block of k, so that what makes the addend need not be done before). Where
// w has few columns, and in the last ones of a w whose width is no multiple of the accumulators', the sum may
// be taken in several chains. So the bits of a row depend neither on the other rows, nor on their number, nor
// on whether w was packed.
#pragma once
#include "autograd/tensor/view.h"
#include "ops/gemm/blas.h"

namespace unroll::ops {

using autograd::Index;
using autograd::View;

/// False where this was built for processors without fused multiply-add: OpenBLAS chooses its kernels when
/// the program runs, and wins. Not inline: a program's is another than the library's.
#if defined(__FMA__) || defined(__aarch64__)
constexpr bool kPackedPays = true;
#else
constexpr bool kPackedPays = false;
#endif

/// A matrix w [K, N] in packed form; owns nothing.
template <class T>
struct Packed {
  const T* data = nullptr;
  Index rows = 0, cols = 0;
};

/// Elements of memory that pack() needs for a matrix [K, N].
template <class T>
Index packed_size(Index rows, Index cols);

/// Packs w, transposed if asked, into `memory` (64-byte-aligned, packed_size elements).
template <class T>
Packed<T> pack(Transpose transpose, View<const T> w, T* memory);

/// The order in which columns are computed, which changes no bits. A w beyond the size of a cache that is
/// used again and again, forth and back, is found in it in part; always from the left, it never is.
enum class Sweep : std::uint8_t { forth, back };

/// c = addend + a w. The addend is a matrix of the shape of c, or c itself; one row repeated, by a row stride
/// of 0; or, without data, zero. Views may be strided; c overlaps neither a nor a part of the addend.
template <class T>
void multiply(const View<const T>& a, const Packed<T>& w, const View<const T>& addend, const View<T>& c,
              Sweep sweep = Sweep::forth);
/// The same bits from a matrix as it stands, for few rows and a single use. N is a multiple of
/// direct_columns<T>().
template <class T>
void multiply(const View<const T>& a, const View<const T>& w, const View<const T>& addend, const View<T>& c,
              Sweep sweep = Sweep::forth);
template <class T>
Index direct_columns();

namespace detail {

// A place in w: `step` elements from one row to the next, `next` from one panel of a group to the next.
template <class T>
struct Strip {
  const T* data;
  Index step, next;
};

// What a kernel computes: c = addend + a w, `depth` deep. `a_next` from one column of a to the next: 1, or
// the row stride of a matrix that is read across. The addend, if there is one, is where the sums begin or is
// added to them at last.
template <class T>
struct Tile {
  const T* a;
  Index a_step, a_next;
  Strip<T> w;
  Index depth;
  const T* addend;
  Index addend_step;
  bool begins;
  T* c;
  Index c_step;
};
template <class T>
using Kernel = void (*)(const Tile<T>&);

}  // namespace detail

/// multiply() for one row and few columns, as in a step of a small cell, made ready: the kernels, and all
/// that they ask for. The same bits.
template <class T>
class RowProduct {
 public:
  RowProduct() : count_(0) {}  // zeros in parts_ would be written for nothing
  /// False where it is not for such sizes. w is Packed, or a matrix as it stands.
  template <class W>
  bool set(const View<const T>& a, const W& w, const View<const T>& addend, const View<T>& c);
  void operator()() const {
    for (std::size_t i = 0; i < count_; ++i) parts_[i].kernel(parts_[i].tile);
  }

 private:
  struct Part {
    detail::Kernel<T> kernel;
    detail::Tile<T> tile;
  };
  Part parts_[2];  // whole panels, and what is left of one
  std::size_t count_;
};

/// The same for op(a) op(b), transposed where asked, without memory of its own: panels of b are packed on the
/// way. Each element is one chain, so that a long sum may be taken in parts. Strides may be negative: then k
/// goes from the last row to the first.
template <class T>
void multiply(Transpose ta, const View<const T>& a, Transpose tb, const View<const T>& b,
              const View<const T>& addend, const View<T>& c);

}  // namespace unroll::ops
