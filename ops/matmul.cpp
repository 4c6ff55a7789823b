#include "ops/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ops/gemm/packed_gemm.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::DeferredPair;
using autograd::Forward;
using autograd::Inputs;
using autograd::Into;
using autograd::kNone;
using autograd::Tape;
using autograd::view_of;

namespace {

constexpr Transpose operator!(Transpose t) { return t == Transpose::yes ? Transpose::no : Transpose::yes; }

// -- Which kernel: docs/design/packed.md has the measurements behind these numbers.

// The choice depends on shapes alone, so that a product has the same bits whenever and wherever in a pass it
// is computed; within the packed kernels a row has the same bits whatever the number of rows.
constexpr Index kPackedRows = 128;                              // at most, against a large matrix
constexpr std::size_t kSmallMatrix = std::size_t{256} * 1024;   // bytes: at any number of rows
constexpr std::size_t kCachedMatrix = std::size_t{512} * 1024;  // bytes: fast enough without packing
// One row or two only read the matrix, and a packed one is read up to twice as fast from the second cache.
constexpr Index kReadingRows = 2;
constexpr std::size_t kNearMatrix = std::size_t{48} * 1024;  // bytes: lies in the first

// c = addend + a op(b) by the kernel that was chosen. The addend is as in ops/gemm/packed_gemm.h.
template <class T>
struct Product {
  enum class By { blas, matrix, packed, row };

  By by = By::blas;
  Transpose ta, tb;
  View<const T> a, b, addend = {};
  View<T> c;
  Packed<T> packed = {};
  RowProduct<T> row = {};
  mutable Sweep sweep = Sweep::forth;  // of the next call

  // To be called once, when all else is settled.
  void make_ready() {
    if (by == By::matrix ? row.set(a, b, addend, c) : by == By::packed && row.set(a, packed, addend, c))
      by = By::row;
  }
  void operator()() const {
    if (by == By::row) return row();
    const Sweep now = std::exchange(sweep, sweep == Sweep::forth ? Sweep::back : Sweep::forth);
    if (by == By::matrix) return multiply<T>(a, b, addend, c, now);
    if (by == By::packed) return multiply<T>(a, packed, addend, c, now);
    if (addend.data && addend.data != c.data) copy_rows(addend, c);
    gemm(ta, tb, a, b, addend.data ? T(1) : T(0), c);
  }
};

// Chooses for a right operand b, which is value `id`, and packs it where that is kept for
// the pass. `uses` are those so far, or in backward those to come. A product with a transposed is left to
// OpenBLAS. What is to be packed for this one use is left to the caller.
template <class T>
void choose(Product<T>& p, Tape& tape, std::uint32_t id, std::uint32_t uses, bool may_pack_once) {
  using By = typename Product<T>::By;
  const std::size_t bytes = static_cast<std::size_t>(p.b.size()) * sizeof(T);
  if (!kPackedPays || p.ta == Transpose::yes || (p.c.rows() > kPackedRows && bytes > kSmallMatrix)) return;
  const autograd::Operand& factor = tape.records().operand(id);
  const int which = p.tb == Transpose::yes;
  const bool single = uses <= 1 && !factor.packed[which];
  p.sweep = uses % 2 == 0 ? Sweep::forth : Sweep::back;
  p.by = By::matrix;
  const std::size_t fast = p.c.rows() <= kReadingRows ? kNearMatrix : kCachedMatrix;
  if (p.tb == Transpose::no && p.c.cols() % direct_columns<T>() == 0 && (single || bytes <= fast)) return;
  p.by = By::packed;
  p.packed = {nullptr, p.a.cols(), p.c.cols()};
  if (single && may_pack_once) return;
  const auto size = static_cast<std::size_t>(packed_size<T>(p.a.cols(), p.c.cols())) * sizeof(T);
  p.packed.data = reinterpret_cast<const T*>(tape.packed_copy(
      id, which, size, [&](std::byte* memory) { pack(p.tb, p.b, reinterpret_cast<T*>(memory)); }));
}

// -- Deferred products: d_b += sum of left' right over all uses of b.

// Rows are added up in the order in which backward came by them, each pair from its last row to its first. So
// the sum over a long sequence has the same bits when backward takes it in segments. Runs of rows that follow
// each other in memory on both sides are one product already; short runs are gathered until there are this
// many rows.
constexpr Index kGatherRows = 512;
// A longer sum would lose its digits in f32: it is made of such sums.
constexpr Index kLongestSum = Index{1} << 17, kSumOfRows = Index{1} << 13;

template <class T>
class OuterSum {
 public:
  OuterSum(Tape& tape, Into<T> into, const DeferredPair& first)
      : tape_(tape), into_(into), left_cols_(first.left_cols), right_cols_(first.right_cols) {}

  void add(const DeferredPair& p) {
    if (!extends(p)) {
      take_run();
      run_ = p;
    } else {
      run_.left = p.left;
      run_.right = p.right;
      run_.rows += p.rows;
    }
  }
  void finish() {
    if (gathered_ == 0 && run_.rows > 0)
      multiply_rows(left_of_run(), right_of_run());
    else
      take_run();
    multiply_gathered();
    if (into_.fresh && !tape_.dry())
      for (Index r = 0; r < into_.view.rows(); ++r) std::fill_n(into_.view.row(r), into_.view.cols(), T(0));
  }

 private:
  static const T* values(const std::byte* p) { return reinterpret_cast<const T*>(p); }
  // Whether the run goes on with p, which then lies before it in memory.
  bool extends(const DeferredPair& p) const {
    return run_.rows > 0 && p.left_stride == run_.left_stride && p.right_stride == run_.right_stride &&
           values(p.left) + p.rows * p.left_stride == values(run_.left) &&
           values(p.right) + p.rows * p.right_stride == values(run_.right);
  }
  void take_run() {
    if (run_.rows == 0) return;
    const View<const T> left = left_of_run(), right = right_of_run();
    run_.rows = 0;
    if (left.rows() >= kGatherRows / 4) {
      multiply_gathered();
      return multiply_rows(left, right);
    }
    if (!scratch_) {
      scratch_.emplace(tape_.pool(), kGatherRows * (left_cols_ + right_cols_));
      left_ = view_of(scratch_->data(), Shape{kGatherRows, left_cols_});
      right_ = view_of(scratch_->data() + left_.size(), Shape{kGatherRows, right_cols_});
    }
    for (Index r = 0; r < left.rows(); ++r) {
      if (gathered_ == kGatherRows) multiply_gathered();
      if (tape_.dry()) {
        ++gathered_;
        continue;
      }
      std::copy_n(left.row(r), left.cols(), left_.row(gathered_));
      std::copy_n(right.row(r), right.cols(), right_.row(gathered_++));
    }
  }
  View<const T> left_of_run() const {
    return backwards(run_.left, run_.rows, run_.left_cols, run_.left_stride);
  }
  View<const T> right_of_run() const {
    return backwards(run_.right, run_.rows, run_.right_cols, run_.right_stride);
  }
  static View<const T> backwards(const std::byte* first, Index rows, Index cols, Index stride) {
    if (!kPackedPays) return {values(first), Shape{rows, cols}, stride};  // OpenBLAS has an order of its own
    return {values(first) + (rows - 1) * stride, Shape{rows, cols}, -stride};
  }
  void multiply_gathered() {
    if (gathered_ == 0) return;
    multiply_rows({left_.data, left_.shape.with(0, gathered_), left_.stride},
                  {right_.data, right_.shape.with(0, gathered_), right_.stride});
    gathered_ = 0;
  }
  void multiply_rows(View<const T> left, View<const T> right) {
    if (left.rows() > kLongestSum) return multiply_many_rows(left, right);
    if (tape_.dry()) return;
    if (!kPackedPays)
      gemm(Transpose::yes, Transpose::no, left, right, into_.fresh ? T(0) : T(1), into_.view);
    else
      multiply<T>(Transpose::yes, left, Transpose::no, right,
                  into_.fresh ? View<const T>() : View<const T>(into_.view), into_.view);
    into_.fresh = false;
  }

  void multiply_many_rows(View<const T> left, View<const T> right) {
    const autograd::Scratch<T> scratch(tape_.pool(), into_.view.size());
    const Into<T> whole = into_;
    const View<T> part = view_of(scratch.data(), whole.view.shape);
    for (Index begin = 0; begin < left.rows(); begin += kSumOfRows) {
      const Index count = std::min(kSumOfRows, left.rows() - begin);
      into_ = {part, true};
      multiply_rows({left.row(begin), left.shape.with(0, count), left.stride},
                    {right.row(begin), right.shape.with(0, count), right.stride});
      if (!tape_.dry()) put_rows<T>(part, {whole.view, whole.fresh && begin == 0});
    }
    into_ = {whole.view, tape_.dry() && whole.fresh};
  }

  Tape& tape_;
  Into<T> into_;
  Index left_cols_, right_cols_;
  std::optional<autograd::Scratch<T>> scratch_;
  View<T> left_, right_;  // in scratch_: rows gathered
  Index gathered_ = 0;
  DeferredPair run_{};
};

void flush_outer(autograd::Walk& walk, std::uint32_t id) {
  Tape& tape = walk.tape();
  autograd::dispatch(tape.dtype(), [&]<class T>() {
    const autograd::Value& v = tape.value(id);
    bool fresh = false;
    auto* memory = reinterpret_cast<T*>(walk.gradient_memory(id, fresh));
    const std::uint32_t first = walk.first_pair(id);
    OuterSum<T> sum(tape, {{memory, v.shape, v.stride}, fresh}, walk.pair(first));
    for (std::uint32_t p = first; p != kNone; p = walk.pair(p).next) sum.add(walk.pair(p));
    sum.finish();
  });
}

// -- The op.

enum class Addend : std::uint8_t { none, row, full, in_place };

struct MatMul {
  static constexpr const char* name = "matmul";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0b011, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  Transpose ta, tb;
  Addend addend;

  int aliased() const { return addend == Addend::in_place ? 2 : -1; }
  int deferred() const { return ta == Transpose::no ? 1 : -1; }

  Shape shape(const Inputs& in) const {
    const Shape &a = in[0], &b = in[1];
    auto came = [&] {
      return fmt::format("a is {}{} and b is {}{}", to_string(a), ta == Transpose::yes ? " transposed" : "",
                         to_string(b), tb == Transpose::yes ? " transposed" : "");
    };
    if (b.rank() != 2 || a.rank() < 1 || (ta == Transpose::yes && a.rank() != 2))
      in.reject(came() + "; needed two matrices (a without transposition may have leading extents)");
    const Index k = ta == Transpose::yes ? a.rows() : a.cols();
    const Index b_rows = tb == Transpose::yes ? b[1] : b[0], n = tb == Transpose::yes ? b[0] : b[1];
    if (k != b_rows)
      in.reject(fmt::format("{}; needed the inner extents equal, {} and {} came", came(), k, b_rows));
    // Most often it is there already.
    if (addend >= Addend::full && a.rank() == 2 && in[2].rank() == 2 && in[2].cols() == n &&
        in[2].rows() == (ta == Transpose::yes ? a.cols() : a.rows()))
      return in[2];
    const Shape out = ta == Transpose::yes ? Shape{a[1], n} : a.with(-1, n);
    if (addend == Addend::row && (in[2].size() != n || in[2].cols() != n))
      in.reject(fmt::format("a bias of shape {} came; needed [{}]", to_string(in[2]), n));
    if (addend >= Addend::full && in[2] != out)
      in.reject(fmt::format("an addend of shape {} came; needed {}", to_string(in[2]), to_string(out)));
    return out;
  }

  template <class T>
  Product<T> prepare(const Forward<T>& context) const {
    Product<T> p{.ta = ta, .tb = tb, .a = context.in(0), .b = context.in(1), .c = context.out()};
    if (addend == Addend::in_place) p.addend = p.c;
    if (addend == Addend::row || addend == Addend::full) {
      const View<const T> from = context.in(2);
      p.addend = {from.data, p.c.shape, addend == Addend::row ? 0 : from.stride};
    }
    choose(p, context.tape(), context.id(1), context.tape().records().operand(context.id(1)).uses, false);
    p.make_ready();
    return p;
  }

  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> a = context.in(0), b = context.in(1), d_out = context.d_out();
    if (context.wants(0)) {
      const Into<T> d_a = context.d_in(0);
      if (ta == Transpose::no) {
        Product<T> p{.ta = ta, .tb = !tb, .a = d_out, .b = b, .c = d_a.view};
        if (!d_a.fresh) p.addend = d_a.view;
        choose(p, context.tape(), context.id(1), context.walk().pending(context.id(1)), true);
        std::optional<autograd::Scratch<T>> packed_once;
        if (p.by == Product<T>::By::packed && !p.packed.data) {
          packed_once.emplace(context.tape().pool(), packed_size<T>(p.packed.rows, p.packed.cols));
          if (!context.dry()) p.packed = pack(!tb, b, packed_once->data());
        }
        p.make_ready();
        if (!context.dry()) p();
      } else if (!context.dry())
        gemm(tb, Transpose::yes, b, d_out, d_a.fresh ? T(0) : T(1), d_a.view);
    }
    if (context.wants(1)) {
      if (ta == Transpose::no) {
        context.defer(1, tb == Transpose::no ? a : d_out, tb == Transpose::no ? d_out : a, flush_outer);
      } else {
        const Into<T> d_b = context.d_in(1);
        const T beta = d_b.fresh ? T(0) : T(1);
        const bool swapped = tb == Transpose::yes;
        if (!context.dry()) gemm(tb, tb, swapped ? d_out : a, swapped ? a : d_out, beta, d_b.view);
      }
    }
    if (addend == Addend::none || addend == Addend::in_place || !context.wants(2)) return;
    const Into<T> d_addend = addend == Addend::row ? Into<T>{context.add_to(2), false} : context.d_in(2);
    if (addend == Addend::row)
      sum_rows(context, d_out, d_addend.view.data);
    else if (!context.dry())
      put_rows(d_out, d_addend);
  }

  /// 2 M N K for each product, and the sum for the addend's gradient. Those that are put off are the work of
  /// another phase.
  autograd::Work work(const autograd::Application& at, autograd::Phase phase, autograd::Work usual) const {
    auto size = [](const Shape& s) { return static_cast<double>(s.size()); };
    const double a = size(at.in(0)), b = size(at.in(1)), out = size(at.out());
    const double product =
        2 * out * static_cast<double>(ta == Transpose::yes ? at.in(0).rows() : at.in(0).cols());
    if (phase == autograd::Phase::forward) return {product, usual.bytes};
    const bool left = at.wants(0), right = at.wants(1) && ta == Transpose::yes;
    const bool added = (addend == Addend::row || addend == Addend::full) && at.wants(2);
    const double values = (left + right) * (a + b) + (added ? size(at.in(2)) : 0);
    return {(left + right) * product + (added ? out : 0),
            at.bytes(values + (left || right || added ? out : 0))};
  }
};

Var product(Var a, Term b, MatMul op, std::initializer_list<Var> addend, SourceLocation location) {
  Tape& tape = a.tape(location);
  if (b.is_number()) autograd::fail("matmul", "a number came; needed a matrix", location);
  const Var right = b.on(tape);
  return addend.size() == 0 ? tape.record(op, {a, right}, location)
                            : tape.record(op, {a, right, *addend.begin()}, location);
}

}  // namespace

Var matmul(Var a, Term b, Transpose ta, Transpose tb, SourceLocation location) {
  return product(a, b, {ta, tb, Addend::none}, {}, location);
}
Var affine(Var a, Term b, Term bias, SourceLocation location) {
  return product(a, b, {Transpose::no, Transpose::no, Addend::row}, {bias.on(a.tape(location))}, location);
}
Var add_matmul(Var addend, Var a, Term b, SourceLocation location) {
  return product(a, b, {Transpose::no, Transpose::no, Addend::full}, {addend}, location);
}
Var add_matmul_in_place(Var addend, Var a, Term b, SourceLocation location) {
  return product(a, b, {Transpose::no, Transpose::no, Addend::in_place}, {addend}, location);
}

}  // namespace unroll::ops
