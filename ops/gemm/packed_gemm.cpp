// Start at run(): it cuts the product into blocks, and a Kernel computes each in registers.
#include "ops/gemm/packed_gemm.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "ops/simd/simd.h"

namespace unroll::ops {

using detail::Kernel;
using detail::Strip;
using detail::Tile;

namespace {

// Accumulators are kRows x kVectors registers. With 32 registers 24 are accumulators, 4 hold a row of the
// panel; with 16 it is 12 and 2. Without fused multiply-add the product needs registers of its own.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 6, kVectors = 4;
#elif defined(__FMA__)
constexpr int kRows = 6, kVectors = 2;
#else
constexpr int kRows = 4, kVectors = 2;
#endif
// Eight additions and more must be under way at once to hide their latency. So one row or two take several
// panels at a time; a panel of less than kVectors registers may be summed in several chains; and a matrix a
// little wider than one panel has such panels only.
constexpr int kGroup = 4;
constexpr Index group_of(Index rows) { return std::max<Index>(1, kGroup / std::max<Index>(1, rows)); }
constexpr int chains_of(int vectors) { return std::max(1, kVectors / vectors); }

// A block of a (kRowBlock x kDepth) and one panel (kDepth x panel) stay in L2. Panels that are packed on the
// way are packed anew for each block of rows.
constexpr Index kDepth = 256, kRowBlock = 86 * kRows;
// Up to so many rows a matrix that is used once is read as it stands: packing a panel takes about as long as
// multiplying twelve rows by it.
constexpr Index kDirectRows = 12;

template <class T>
constexpr Index lanes = Pack<T>::lanes;
template <class T>
constexpr Index widest = kVectors* lanes<T>;
template <class T>
constexpr Index narrow = std::min(2, kVectors) * lanes<T>;
// The width of the panels of a matrix with so many columns.
template <class T>
constexpr Index panel_of(Index cols) {
  return widest<T> < cols && cols < 2 * widest<T> ? narrow<T> : widest<T>;
}
template <class T>
std::size_t registers(Index columns) {
  return static_cast<std::size_t>((columns + lanes<T> - 1) / lanes<T>);
}

constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

// f(0), f(1), ... f(N - 1), unrolled: what it indexes stays in registers.
template <int N, class F>
void unrolled(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(I), ...); }
  (std::make_integer_sequence<int, N>{});
}

// R rows by V registers of each of G panels; k = 0, C, 2 C ... are one chain, k = 1, C + 1 ... the next.
// Flattened: a call would take the accumulators out of their registers.
// `Depth` is that of the tile, or 0 for any: a loop that is short now and long then is badly foreseen by the
// processor.
template <class T, int R, int V, int G, int C, Index Depth = 0>
[[gnu::flatten]] void kernel(const Tile<T>& tile) {
  constexpr int W = V * G;
  constexpr Index L = lanes<T>;
  Pack<T> sum[C * R * W];
  auto addend = [&](int i) { return Pack<T>::load(tile.addend + i / W * tile.addend_step + i % W * L); };
  unrolled<C * R * W>([&](int i) { sum[i] = Pack<T>(0.0); });
  if (tile.addend && tile.begins) unrolled<R * W>([&](int i) { sum[i] = addend(i); });
  const T *a = tile.a, *w[G];
  unrolled<G>([&](int g) { w[g] = tile.w.data + g * tile.w.next; });
  // What is summed in chains is not read across. A constant saves the registers of a step.
  const Index a_step = tile.a_step, a_next = C > 1 ? 1 : tile.a_next, w_step = tile.w.step,
              depth = Depth > 0 ? Depth : tile.depth;
  auto add = [&](int chain) {
    Pack<T> row[W];
    unrolled<W>([&](int v) { row[v] = Pack<T>::load(w[v / V] + v % V * L); });
    unrolled<R>([&](int r) {
      const Pack<T> x = typename Pack<T>::Batch(a[r * a_step]);
      unrolled<W>([&](int v) {
        Pack<T>& s = sum[(chain * R + r) * W + v];
        s = fma(x, row[v], s);
      });
    });
    a += a_next;
    unrolled<G>([&](int g) { w[g] += w_step; });
  };
  Index k = 0;
  for (; k + C <= depth; k += C) unrolled<C>(add);
  if constexpr (C > 1) {
    for (; k < depth; ++k) add(0);
    unrolled<(C - 1) * R * W>([&](int i) { sum[i % (R * W)] = sum[i % (R * W)] + sum[i + R * W]; });
  }
  if (tile.addend && !tile.begins) unrolled<R * W>([&](int i) { sum[i] = sum[i] + addend(i); });
  T* const c = tile.c;
  const Index c_step = tile.c_step;
  unrolled<R * W>([&](int i) { sum[i].store(c + i / W * c_step + i % W * L); });
}

/// How the elements of a narrow panel are summed.
enum class Sum { in_chains, in_order };

// kernels[R - 1][V - 1] for one panel.
template <class T, Sum S>
constexpr auto kernels = []<int... R>(std::integer_sequence<int, R...>) {
  constexpr auto row =
      []<int Rows, int... V>(std::integer_sequence<int, Rows>, std::integer_sequence<int, V...>) {
    return std::array<Kernel<T>, sizeof...(V)>{kernel < T, Rows, V + 1, 1,
                                               S == Sum::in_chains ? chains_of(V + 1) : 1 > ...};
  };
  return std::array{row(std::integer_sequence<int, R + 1>{}, std::make_integer_sequence<int, kVectors>{})...};
}
(std::make_integer_sequence<int, kRows>{});

// group_kernels<R, V, Depth>[G - 1] for a group of whole panels.
template <class T, int R, Index V, Index Depth>
constexpr auto group_kernels = []<int... G>(std::integer_sequence<int, G...>) {
  return std::array<Kernel<T>, sizeof...(G)>{kernel<T, R, V, G + 1, chains_of(V), Depth>...};
}
(std::make_integer_sequence<int, group_of(R)>{});

template <class T, int R, Index Depth = 0>
Kernel<T> group_kernel(Index width, Index panels) {
  const auto g = static_cast<std::size_t>(panels - 1);
  return width == widest<T> ? group_kernels<T, R, kVectors, Depth>[g]
                            : group_kernels<T, R, narrow<T> / lanes<T>, Depth>[g];
}

// The same where the last register of a row is partly beyond the edge of c.
template <class T>
void run_at_edge(Kernel<T> kernel, Tile<T> tile, Index rows, Index columns) {
  alignas(64) T block[kRows * widest<T>] = {};
  T* const c = std::exchange(tile.c, block);
  const Index c_step = std::exchange(tile.c_step, widest<T>);
  if (const T* const from = tile.addend) {
    for (Index r = 0; r < rows; ++r) std::copy_n(from + r * tile.addend_step, columns, block + r * widest<T>);
    tile.addend = block;
    tile.addend_step = widest<T>;
  }
  kernel(tile);
  for (Index r = 0; r < rows; ++r) std::copy_n(block + r * widest<T>, columns, c + r * c_step);
}

// A rectangle of numbers: `step` elements from row to row, `next` from column to column.
template <class T>
struct Block {
  T* data;
  Index rows, cols, step, next;

  Block part(Index row, Index count, Index col, Index width) const {
    return {data + row * step + col * next, count, width, step, next};
  }
};
template <class T>
Block<T> block_of(const View<T>& v, Transpose transpose = Transpose::no) {
  if (transpose == Transpose::yes) return {v.data, v.cols(), v.rows(), 1, v.stride};
  return {v.data, v.rows(), v.cols(), v.stride, 1};
}

// c = addend + a w for a block of a and of w, which has panels of `width` columns; without numbers of an
// addend, c = a w. It `begins` the sums or is added to them. `strip(j, columns)` is the place of the panels
// that begin with column j.
template <Sum S, class T, class StripOf>
void multiply_block(const Block<const T>& a, Index cols, Index width, Sweep sweep, StripOf strip,
                    const Block<const T>& addend, bool begins, const Block<T>& c) {
  const Index rows = a.rows, blocks = (rows + kRows - 1) / kRows;
  // Whole panels in groups, then what is left of one.
  const Index whole = cols / width, group = group_of(rows), groups = (whole + group - 1) / group;
  const Index parts = groups + (cols > whole * width);
  for (Index i = 0; i < parts; ++i) {
    const Index p = sweep == Sweep::forth ? i : parts - 1 - i;
    const Index panels = p < groups ? std::min(group, whole - p * group) : 1;
    const Index j = p < groups ? p * group * width : whole * width;
    const Index columns = std::min(panels * width, cols - j);
    Tile<T> tile{a.data,      a.step,
                 a.next,      strip(j, columns),
                 a.cols,      addend.data ? addend.data + j : nullptr,
                 addend.step, begins,
                 c.data + j,  c.step};
    Index done = 0;
    for (Index b = 0; b < blocks; ++b) {  // rows are dealt evenly: 8 are 4 and 4, not 6 and 2
      const Index step = (rows - done) / (blocks - b);
      const auto r = static_cast<std::size_t>(step - 1);
      if (panels > 1)
        (rows == 1 ? group_kernel<T, 1>(width, panels) : group_kernel<T, 2>(width, panels))(tile);
      else if (columns % lanes<T> == 0)
        kernels<T, S>[r][registers<T>(columns) - 1](tile);
      else
        run_at_edge(kernels<T, S>[r][registers<T>(columns) - 1], tile, step, columns);
      tile.a += step * tile.a_step;
      tile.c += step * tile.c_step;
      if (tile.addend) tile.addend += step * tile.addend_step;
      done += step;
    }
  }
}

template <class T>
View<T> part(View<T> m, Index row, Index rows, Index col, Index cols) {
  return {m.data + row * m.stride + col, Shape{rows, cols}, m.stride};
}

// to(c, r) = from(r, c), with `step` elements between rows of `to`. In squares as large as a register of 128
// bits, which every instruction set can transpose; a cache line of each row of `from` at a time.
template <class T>
void transpose_into(T* to, Index step, View<const T> from) {
#if defined(__aarch64__)
  using Quad = xsimd::batch<T, xsimd::neon64>;
#else
  using Quad = xsimd::batch<T, xsimd::sse2>;
#endif
  constexpr Index side = Quad::size, line = 64 / sizeof(T);
  const Index rows = from.rows() / side * side, cols = from.cols() / side * side;
  for (Index c0 = 0; c0 < cols; c0 += line)
    for (Index r = 0; r < rows; r += side)
      for (Index c = c0; c < std::min(c0 + line, cols); c += side) {
        Quad x[side], y[side];
        for (Index i = 0; i < side; ++i) x[i] = Quad::load_unaligned(from.row(r + i) + c);
        // A shuffle of halves, once for side 2 and twice for side 4, is the transposition.
        for (Index i = 0; i < side; ++i) {
          const Quad &low = x[i / 2], &high = x[i / 2 + side / 2];
          y[i] = i % 2 == 0 ? xsimd::zip_lo(low, high) : xsimd::zip_hi(low, high);
        }
        if constexpr (side == 4)
          for (Index i = 0; i < side; ++i) {
            const Quad &low = y[i / 2], &high = y[i / 2 + side / 2];
            x[i] = i % 2 == 0 ? xsimd::zip_lo(low, high) : xsimd::zip_hi(low, high);
          }
        for (Index i = 0; i < side; ++i) (side == 4 ? x : y)[i].store_unaligned(to + (c + i) * step + r);
      }
  for (Index r = 0; r < from.rows(); ++r)
    for (Index c = r < rows ? cols : 0; c < from.cols(); ++c) to[c * step + r] = from(r, c);
}

// `strip(k, depth, j, columns)` is the place in w, of panels of `width` columns, of rows k.. and columns j...
template <Sum S, class T, class StripOf>
void run(const Block<const T>& a, Index width, Sweep sweep, StripOf strip, const View<const T>& addend,
         const View<T>& out) {
  const Block<T> c = block_of(out);
  const Block<const T> first{addend.data, c.rows, c.cols, addend.stride, 1};
  const Index blocks = (c.rows + kRowBlock - 1) / kRowBlock;
  const Index most = blocks > 1 ? round_up((c.rows + blocks - 1) / blocks, kRows) : c.rows;
  for (Index m = 0; m < c.rows; m += most) {
    const Index rows = std::min(most, c.rows - m);
    const Block<T> to = c.part(m, rows, 0, c.cols);
    Block<const T> from = addend.data ? first.part(m, rows, 0, c.cols) : first;
    Index k = 0;
    do {  // once even for K = 0, which assigns the addend
      const Index deep = std::min(kDepth, a.cols - k);
      multiply_block<S>(
          a.part(m, rows, k, deep), c.cols, width, sweep,
          [&](Index j, Index columns) { return strip(k, deep, j, columns); }, from,
          S == Sum::in_order || k > 0, to);
      from = {to.data, to.rows, to.cols, to.step, to.next};
      k += deep;
    } while (k < a.cols);
  }
}

// Packs panels of `width` columns.
template <class T>
void pack_panels(Transpose transpose, const View<const T>& w, Index width, T* to) {
  const bool across = transpose == Transpose::yes;
  const Index rows = across ? w.cols() : w.rows(), cols = across ? w.rows() : w.cols();
  for (Index k = 0; k < rows; k += kDepth) {
    const Index deep = std::min(kDepth, rows - k);
    for (Index j = 0; j < cols; j += width) {
      const Index columns = std::min(width, cols - j), padded = round_up(columns, lanes<T>);
      if (columns < padded) std::fill_n(to, deep * padded, T(0));
      if (across)
        transpose_into(to, padded, part(w, j, columns, k, deep));
      else
        for (Index r = 0; r < deep; ++r) std::copy_n(w.row(k + r) + j, columns, to + r * padded);
      to += deep * padded;
    }
  }
}

// Where rows k.. of columns j.. lie.
template <class T>
auto strips_of(const Packed<T>& w) {
  return [&w, width = panel_of<T>(w.cols), padded = round_up(w.cols, lanes<T>)](Index k, Index depth, Index j,
                                                                                Index columns) -> Strip<T> {
    return {w.data + k * padded + j * depth, std::min(width, round_up(columns, lanes<T>)), width * depth};
  };
}
template <class T>
auto strips_of(const View<const T>& w) {
  return [&w, width = panel_of<T>(w.cols())](Index k, Index, Index j, Index) -> Strip<T> {
    return {&w(k, j), w.stride, width};
  };
}

}  // namespace

template <class T>
Index packed_size(Index rows, Index cols) {
  return rows * round_up(cols, lanes<T>);
}

template <class T>
Packed<T> pack(Transpose transpose, View<const T> w, T* memory) {
  const bool across = transpose == Transpose::yes;
  const Index rows = across ? w.cols() : w.rows(), cols = across ? w.rows() : w.cols();
  pack_panels(transpose, w, panel_of<T>(cols), memory);
  return {memory, rows, cols};
}

// Parts are filled in where they lie: a copy would be read in wide pieces just after it was written.
template <class T>
template <class W>
bool RowProduct<T>::set(const View<const T>& a, const W& w, const View<const T>& addend, const View<T>& c) {
  const Index depth = a.cols(), cols = c.cols(), width = panel_of<T>(cols);
  if (c.rows() != 1 || depth > kDepth || cols > kGroup * width || cols % lanes<T> != 0) return false;
  count_ = 0;
  auto add = [&](Index j, Index columns, Kernel<T> kernel) {
    const T* const from = addend.data ? addend.data + j : nullptr;
    new (&parts_[count_++]) Part{
        kernel, {a.data, 0, 1, strips_of(w)(0, depth, j, columns), depth, from, 0, false, c.data + j, 0}};
  };
  const Index whole = cols / width * width, rest = cols - whole;
  if (whole > 0)
    add(0, whole,
        depth == 1 ? group_kernel<T, 1, 1>(width, whole / width) : group_kernel<T, 1>(width, whole / width));
  if (rest > 0) add(whole, rest, kernels<T, Sum::in_chains>[0][registers<T>(rest) - 1]);
  return true;
}

template <class T>
void multiply(const View<const T>& a, const Packed<T>& w, const View<const T>& addend, const View<T>& c,
              Sweep sweep) {
  assert(a.cols() == w.rows && c.cols() == w.cols && a.rows() == c.rows());
  if (RowProduct<T> row; row.set(a, w, addend, c)) return row();
  run<Sum::in_chains>(block_of(a), panel_of<T>(w.cols), sweep, strips_of(w), addend, c);
}

template <class T>
void multiply(const View<const T>& a, const View<const T>& w, const View<const T>& addend, const View<T>& c,
              Sweep sweep) {
  assert(a.cols() == w.rows() && c.cols() == w.cols() && a.rows() == c.rows() && w.cols() % lanes<T> == 0);
  if (RowProduct<T> row; row.set(a, w, addend, c)) return row();
  run<Sum::in_chains>(block_of(a), panel_of<T>(w.cols()), sweep, strips_of(w), addend, c);
}

template <class T>
void multiply(Transpose ta, const View<const T>& a, Transpose tb, const View<const T>& b,
              const View<const T>& addend, const View<T>& c) {
  const Block<const T> left = block_of(a, ta), right = block_of(b, tb);
  assert(left.cols == right.rows && c.cols() == right.cols && left.rows == c.rows());
  const bool direct = tb == Transpose::no && right.cols % lanes<T> == 0 && left.rows <= kDirectRows;
  constexpr Index width = widest<T>;
  alignas(64) T panels[kGroup * width * kDepth];
  run<Sum::in_order>(
      left, width, Sweep::forth,
      [&](Index k, Index depth, Index j, Index columns) -> Strip<T> {
        if (direct) return {&b(k, j), b.stride, width};
        pack_panels(tb, tb == Transpose::no ? part(b, k, depth, j, columns) : part(b, j, columns, k, depth),
                    width, panels);
        return {panels, std::min(width, round_up(columns, lanes<T>)), width * depth};
      },
      addend, c);
}

template <class T>
Index direct_columns() {
  return lanes<T>;
}

template Index packed_size<float>(Index, Index);
template Index packed_size<double>(Index, Index);
template Packed<float> pack(Transpose, View<const float>, float*);
template Packed<double> pack(Transpose, View<const double>, double*);
template void multiply(const View<const float>&, const Packed<float>&, const View<const float>&,
                       const View<float>&, Sweep);
template void multiply(const View<const double>&, const Packed<double>&, const View<const double>&,
                       const View<double>&, Sweep);
template void multiply(const View<const float>&, const View<const float>&, const View<const float>&,
                       const View<float>&, Sweep);
template void multiply(const View<const double>&, const View<const double>&, const View<const double>&,
                       const View<double>&, Sweep);
template void multiply(Transpose, const View<const float>&, Transpose, const View<const float>&,
                       const View<const float>&, const View<float>&);
template void multiply(Transpose, const View<const double>&, Transpose, const View<const double>&,
                       const View<const double>&, const View<double>&);
template bool RowProduct<float>::set(const View<const float>&, const View<const float>&,
                                     const View<const float>&, const View<float>&);
template bool RowProduct<double>::set(const View<const double>&, const View<const double>&,
                                      const View<const double>&, const View<double>&);
template bool RowProduct<float>::set(const View<const float>&, const Packed<float>&, const View<const float>&,
                                     const View<float>&);
template bool RowProduct<double>::set(const View<const double>&, const Packed<double>&,
                                      const View<const double>&, const View<double>&);
template Index direct_columns<float>();
template Index direct_columns<double>();

}  // namespace unroll::ops
