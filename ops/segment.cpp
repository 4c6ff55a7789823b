#include "ops/segment.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/pointwise.h"
#include "ops/simd/map_rows.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Tape;

namespace {

// A layout in the arena, for backward may come when the caller's is gone.
struct Segments {
  const int* sequences;  // by rank
  const Index* offsets;  // by step, one more than there are steps
  Index batch, steps;

  static Segments keep(Tape& tape, const Layout& layout) {
    auto* sequences = tape.arena().allocate_array<int>(static_cast<std::size_t>(layout.batch()));
    std::ranges::copy(layout.sequences(), sequences);
    auto* offsets = tape.arena().allocate_array<Index>(static_cast<std::size_t>(layout.steps() + 1));
    for (Index t = 0; t <= layout.steps(); ++t) offsets[t] = layout.offset(t);
    return {sequences, offsets, layout.batch(), layout.steps()};
  }
  Index rows() const { return offsets[steps]; }
  Index alive(Index t) const { return offsets[t + 1] - offsets[t]; }
  // f(step, rank, packed row), in the order of the rows
  template <class F>
  void each(F f) const {
    for (Index t = 0; t < steps; ++t)
      for (Index rank = 0; rank < alive(t); ++rank) f(t, rank, offsets[t] + rank);
  }
  // f(first element, number of elements) of each step of contiguous rows
  template <class F>
  void each_step(Index cols, F f) const {
    for (Index t = 0; t < steps; ++t) f(offsets[t] * cols, alive(t) * cols);
  }
  Shape pooled(const Inputs& in) const {
    check(in);
    return {batch, in[0][1]};
  }
  void check(const Inputs& in) const {
    if (in[0].rank() != 2 || in[0][0] != rows())
      in.reject(fmt::format("a value of shape {} came for a layout of {} rows; needed [{}, columns]",
                            to_string(in[0]), rows(), rows()));
  }
};

struct SegmentSum {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  const char* label;
  Segments segments;
  const double* factors;  // by rank; nullptr if all are 1

  Shape shape(const Inputs& in) const { return segments.pooled(in); }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    const Index cols = out.cols();
    LongSums<T> sums(context.tape().pool(), out.data, out.size(), segments.steps);
    if (context.dry()) return;
    segments.each([&](Index t, Index rank, Index r) {
      if (rank == 0 && t > 0) sums.next();
      T* to = out.row(segments.sequences[rank]);
      t == 0 ? std::copy_n(x.row(r), cols, to), void() : add_row(x.row(r), cols, to);
    });
    sums.finish();
    for (Index rank = 0; factors && rank < segments.batch; ++rank)
      scale_row(static_cast<T>(factors[rank]), cols, out.row(segments.sequences[rank]));
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    const Into<T> d_in = context.d_in(0);
    if (context.dry()) return;
    segments.each([&](Index, Index rank, Index r) {
      const T* d = d_out.row(segments.sequences[rank]);
      const T by = factors ? static_cast<T>(factors[rank]) : T(1);
      put_row(d_in.view.row(r), d_out.cols(), d_in.fresh, [d, by](Index c) { return by * d[c]; });
    });
  }
};

struct WeightedSegmentSum {
  static constexpr const char* name = "segment_sum";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0b11, reads_outputs = 0;
  static constexpr bool takes_memory = true;

  Segments segments;

  Shape shape(const Inputs& in) const {
    if (in[1] != Shape{segments.rows(), 1})
      in.reject(fmt::format("weights of shape {} came for a layout of {} rows; needed [{}, 1]",
                            to_string(in[1]), segments.rows(), segments.rows()));
    return segments.pooled(in);
  }
  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0), weights = context.in(1);
    const View<T> out = context.out();
    LongSums<T> sums(context.tape().pool(), out.data, out.size(), segments.steps);
    if (context.dry()) return;
    std::fill_n(out.data, out.size(), T(0));
    segments.each([&](Index t, Index rank, Index r) {
      if (rank == 0 && t > 0) sums.next();
      add_scaled_row(weights(r, 0), x.row(r), x.cols(), out.row(segments.sequences[rank]));
    });
    sums.finish();
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> x = context.in(0), weights = context.in(1), d_out = context.d_out();
    // One after the other: they may share memory.
    if (context.wants(0)) {
      const Into<T> d_x = context.d_in(0);
      if (!context.dry())
        segments.each([&](Index, Index rank, Index r) {
          put_row(
              d_x.view.row(r), x.cols(), d_x.fresh,
              [d = d_out.row(segments.sequences[rank]), by = weights(r, 0)](Index c) { return by * d[c]; });
        });
    }
    if (context.wants(1)) {
      const Into<T> d_w = context.d_in(1);
      if (!context.dry())
        segments.each([&](Index, Index rank, Index r) {
          const T d = sum_row(
              x.cols(), [](auto a, auto b) { return a * b; }, x.row(r), d_out.row(segments.sequences[rank]));
          d_w.view(r, 0) = d_w.fresh ? d : d_w.view(r, 0) + d;
        });
    }
  }
};

struct SegmentMax {
  static constexpr const char* name = "segment_max";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  Segments segments;
  void* rows;  // the packed row of each maximum, RowNumber<T>; nullptr if no gradient is wanted

  // As wide as T, so that comparisons of T select them lane by lane.
  template <class T>
  using RowNumber = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

  Shape shape(const Inputs& in) const { return segments.pooled(in); }

  template <class T>
  void forward(Forward<T>& context) const {
    const View<const T> x = context.in(0);
    const View<T> out = context.out();
    const Index cols = out.cols();
    auto* best_rows = static_cast<RowNumber<T>*>(rows);
    segments.each([&](Index t, Index rank, Index r) {
      const Index sequence = segments.sequences[rank];
      RowNumber<T>* at = best_rows ? best_rows + sequence * cols : nullptr;
      if (t == 0) {
        std::copy_n(x.row(r), cols, out.row(sequence));
        if (at) std::fill_n(at, cols, static_cast<RowNumber<T>>(r));
      } else if (at) {
        take_better(x.row(r), cols, static_cast<RowNumber<T>>(r), out.row(sequence), at);
      } else {
        take_better(x.row(r), cols, out.row(sequence));
      }
    });
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> d_out = context.d_out();
    const View<T> d_x = context.add_to(0);
    const auto* best_rows = static_cast<const RowNumber<T>*>(rows);
    for (Index b = 0; b < d_out.rows(); ++b)
      for (Index c = 0; c < d_out.cols(); ++c) d_x(best_rows[b * d_out.cols() + c], c) += d_out(b, c);
  }

 private:
  template <class T>
  static bool better(T x, T best) {
    return (x > best) | ((x != x) & (best == best));
  }
  template <class T>
  static void take_better(const T* __restrict x, Index n, T* __restrict best) {
    for (Index c = 0; c < n; ++c) best[c] = better(x[c], best[c]) ? x[c] : best[c];
  }
  template <class T>
  static void take_better(const T* __restrict x, Index n, RowNumber<T> row, T* __restrict best,
                          RowNumber<T>* __restrict rows) {
    for (Index c = 0; c < n; ++c) {
      const bool wins = better(x[c], best[c]);
      best[c] = wins ? x[c] : best[c];
      rows[c] = wins ? row : rows[c];
    }
  }
};

template <class T>
void raise(const T* __restrict x, Index n, T* __restrict highest) {
  for (Index c = 0; c < n; ++c) highest[c] = x[c] > highest[c] ? x[c] : highest[c];
}

// A time step of contiguous packed rows is one run of numbers, and so is what is kept of each sequence, by
// rank: the sequences alive are a prefix.
struct SegmentSoftmax {
  static constexpr const char* name = "segment_softmax";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 1;
  static constexpr bool takes_memory = true;

  Segments segments;

  Shape shape(const Inputs& in) const {
    segments.check(in);
    return in[0];
  }
  template <class T>
  void forward(Forward<T>& context) const {
    const T* x = context.in(0).data;
    T* y = context.out().data;
    const Index cols = context.out().cols(), kept = segments.batch * cols;
    const autograd::Scratch<T> highest = context.scratch(kept), total = context.scratch(kept);
    LongSums<T> sums(context.tape().pool(), total.data(), kept, segments.steps);
    if (context.dry()) return;
    std::copy_n(x, segments.steps ? kept : 0, highest.data());
    std::fill_n(total.data(), kept, T(0));
    segments.each_step(cols, [&](Index at, Index n) { raise(x + at, n, highest.data()); });
    segments.each_step(cols, [&](Index at, Index n) {
      map_row(
          y + at, n, true, [](auto v, auto high) { return exp(v - high); }, x + at, highest.data());
      add_row(y + at, n, total.data());
      sums.next();
    });
    sums.finish();
    segments.each_step(cols, [&](Index at, Index n) {
      map_row(
          y + at, n, true, [](auto e, auto sum) { return e / sum; }, y + at, total.data());
    });
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const T *y = context.out().data, *d_out = context.d_out().data;
    const Index cols = context.out().cols(), kept = segments.batch * cols;
    const Into<T> d_in = context.d_in(0);
    const autograd::Scratch<T> inner = context.scratch(kept);
    LongSums<T> sums(context.tape().pool(), inner.data(), kept, segments.steps);
    if (context.dry()) return;
    std::fill_n(inner.data(), kept, T(0));
    segments.each_step(cols, [&](Index at, Index n) {
      put_row(inner.data(), n, false, [&](Index c) { return y[at + c] * d_out[at + c]; });
      sums.next();
    });
    sums.finish();
    segments.each_step(cols, [&](Index at, Index n) {
      put_row(d_in.view.data + at, n, d_in.fresh,
              [&, s = inner.data()](Index c) { return y[at + c] * (d_out[at + c] - s[c]); });
    });
  }
};

// What is kept of each sequence lies by rank, as in SegmentSoftmax.
struct SegmentLogSumExp {
  static constexpr const char* name = "segment_logsumexp";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 1;
  static constexpr bool takes_memory = true;

  Segments segments;

  Shape shape(const Inputs& in) const { return segments.pooled(in); }

  template <class T>
  void forward(Forward<T>& context) const {
    const T* x = context.in(0).data;
    const View<T> out = context.out();
    const Index cols = out.cols(), kept = segments.batch * cols;
    const autograd::Scratch<T> highest = context.scratch(kept), total = context.scratch(kept),
                               step = context.scratch(kept);
    LongSums<T> sums(context.tape().pool(), total.data(), kept, segments.steps);
    if (context.dry()) return;
    std::copy_n(x, segments.steps ? kept : 0, highest.data());
    std::fill_n(total.data(), kept, T(0));
    segments.each_step(cols, [&](Index at, Index n) { raise(x + at, n, highest.data()); });
    // Beside an infinity there is nothing to lose: what it makes of the sum is right.
    for (Index i = 0; i < kept; ++i)
      if (!std::isfinite(highest.data()[i])) highest.data()[i] = T(0);
    segments.each_step(cols, [&](Index at, Index n) {
      map_row(
          step.data(), n, true, [](auto v, auto high) { return exp(v - high); }, x + at, highest.data());
      add_row(step.data(), n, total.data());
      sums.next();
    });
    sums.finish();
    for (Index rank = 0; rank < segments.batch; ++rank)
      map_row(
          out.row(segments.sequences[rank]), cols, true, [](auto sum, auto high) { return log(sum) + high; },
          total.data() + rank * cols, highest.data() + rank * cols);
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> out = context.out(), d_out = context.d_out();
    const T* x = context.in(0).data;
    const Index cols = out.cols(), kept = segments.batch * cols;
    const Into<T> d_in = context.d_in(0);
    const autograd::Scratch<T> y = context.scratch(kept), d_y = context.scratch(kept);
    if (context.dry()) return;
    for (Index rank = 0; rank < segments.batch; ++rank) {
      std::copy_n(out.row(segments.sequences[rank]), cols, y.data() + rank * cols);
      std::copy_n(d_out.row(segments.sequences[rank]), cols, d_y.data() + rank * cols);
    }
    segments.each_step(cols, [&](Index at, Index n) {
      map_row(
          d_in.view.data + at, n, d_in.fresh, [](auto v, auto sum, auto d) { return exp(v - sum) * d; },
          x + at, y.data(), d_y.data());
    });
  }
};

void require_rows(const char* op, Var x, Index rows, SourceLocation location) {
  const Shape& s = x.shape(location);
  if (s.rank() != 2 || s[0] != rows)
    autograd::fail(op, fmt::format("a value of shape {} came; needed [{}, columns]", to_string(s), rows),
                   location);
}

}  // namespace

Var segment_sum(Var x, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  return tape.record(SegmentSum{"segment_sum", Segments::keep(tape, layout), nullptr}, {x}, location);
}

Var segment_mean(Var x, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  auto* factors = tape.arena().allocate_array<double>(static_cast<std::size_t>(layout.batch()));
  for (Index rank = 0; rank < layout.batch(); ++rank)
    factors[rank] =
        1 / static_cast<double>(layout.length(layout.sequences()[static_cast<std::size_t>(rank)]));
  return tape.record(SegmentSum{"segment_mean", Segments::keep(tape, layout), factors}, {x}, location);
}

Var segment_sum(Var x, Var weights, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  return tape.record(WeightedSegmentSum{Segments::keep(tape, layout)}, {x, weights}, location);
}

Var segment_max(Var x, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  void* rows = nullptr;
  if (tape.value(x.index()).wants_gradient && tape.records_gradients())
    rows = tape.arena().allocate(static_cast<std::size_t>(layout.batch() * x.cols()) * size_of(tape.dtype()));
  return tape.record(SegmentMax{Segments::keep(tape, layout), rows}, {x}, location);
}

Var segment_softmax(Var scores, const Layout& layout, SourceLocation location) {
  Tape& tape = scores.tape(location);
  return tape.record(SegmentSoftmax{Segments::keep(tape, layout)}, {contiguous(scores, location)}, location);
}

Var segment_logsumexp(Var x, const Layout& layout, SourceLocation location) {
  Tape& tape = x.tape(location);
  return tape.record(SegmentLogSumExp{Segments::keep(tape, layout)}, {contiguous(x, location)}, location);
}

Var last_rows(Var x, const Layout& layout, SourceLocation location) {
  require_rows("last_rows", x, layout.rows(), location);
  const auto count = static_cast<std::size_t>(layout.batch());
  int* last = x.tape().arena().allocate_array<int>(count);
  for (Index s = 0; s < layout.batch(); ++s) last[s] = static_cast<int>(layout.row(s, layout.length(s) - 1));
  return gather_rows(x, std::span<const int>(last, count), {}, location);
}

Var repeat_over_time(Var x, const Layout& layout, SourceLocation location) {
  require_rows("repeat_over_time", x, layout.batch(), location);
  const auto count = static_cast<std::size_t>(layout.rows());
  int* sequences = x.tape().arena().allocate_array<int>(count);
  for (Index t = 0; t < layout.steps(); ++t)
    std::ranges::copy(layout.sequences().first(static_cast<std::size_t>(layout.batch_size(t))),
                      sequences + layout.offset(t));
  return gather_rows(x, std::span<const int>(sequences, count), {}, location);
}

}  // namespace unroll::ops
