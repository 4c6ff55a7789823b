#include "ops/dropout.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/elementwise.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Tape;

namespace {

using Byte = std::uint8_t;

// Four elements a draw: an element is dropped if its 16 bits, read as a fraction of 2^16, are below the
// probability. If they equal its first 16 bits, another draw decides as the further bits, so that the
// probability is exact.
class MaskMaker {
 public:
  MaskMaker(double probability, Generator& generator)
      : generator_(generator),
        limit_(static_cast<std::uint16_t>(probability * 65536)),
        rest_(probability * 65536 - std::floor(probability * 65536)) {}

  /// 1 where an element is kept.
  void fill(Byte* keep, Index n) {
    for (Index i = 0; i < n; i += kBlock) block(keep + i, std::min<Index>(kBlock, n - i));
  }

 private:
  static constexpr int kDraws = 64, kBlock = 4 * kDraws;

  void block(Byte* keep, Index n) {
    std::uint64_t draws[kDraws];
    Generator generator = generator_;  // a copy that lives in registers: draws are then made in parallel
    for (std::uint64_t& d : draws) d = generator.next();
    generator_ = generator;
    std::uint16_t bits[kBlock];
    for (int part = 0; part < 4; ++part)
      for (int i = 0; i < kDraws; ++i)
        bits[part * kDraws + i] = static_cast<std::uint16_t>(draws[i] >> (16 * part));
    Byte kept[kBlock], equal = 0;
    for (int i = 0; i < kBlock; ++i) {
      kept[i] = bits[i] >= limit_;
      equal |= static_cast<Byte>(bits[i] == limit_);
    }
    if (equal)
      for (int i = 0; i < kBlock; ++i)
        if (bits[i] == limit_) kept[i] = generator_.uniform() >= rest_;
    std::copy_n(kept, n, keep);
  }

  Generator& generator_;
  std::uint16_t limit_;
  double rest_;
};

struct Dropout {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  const char* label;
  const Byte* keep;      // a row of them for each row of a step
  const Index* offsets;  // steps share the mask: their rows are [offsets[t], offsets[t + 1])
  Index steps;
  double scale;

  Shape shape(const Inputs& in) const {
    const Index rows = offsets[steps];
    if (in[0].rows() != rows)
      in.reject(fmt::format("a value of shape {} came for a layout of {} rows; needed [{}, columns]",
                            to_string(in[0]), rows, rows));
    return in[0];
  }
  template <class T>
  void forward(Forward<T>& context) const {
    apply(context.in(0), context.out(), true);
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const Into<T> d_in = context.d_in(0);
    apply(context.d_out(), d_in.view, d_in.fresh);
  }

 private:
  template <class T>
  void apply(View<const T> from, View<T> to, bool fresh) const {
    const T by = static_cast<T>(scale);
    for (Index t = 0; t < steps; ++t) {
      const Shape step{offsets[t + 1] - offsets[t], from.cols()};
      const Byte* k = keep;
      each_row(rectangle(from, offsets[t], 0, step), rectangle(to, offsets[t], 0, step),
               [&](const T* x, Index n, T* y) {
                 put_row(y, n, fresh, [x, k, by](Index c) { return k[c] ? x[c] * by : T(0); });
                 k += n;
               });
    }
  }
};

void check_probability(const char* op, double probability, SourceLocation location) {
  if (!(probability >= 0 && probability < 1))
    autograd::fail(op, fmt::format("a probability of {} came; needed 0 <= probability < 1", probability),
                   location);
}

// `offset(t)` for t up to `steps` is where step t begins; the first is the longest. fill(mask, rows) makes
// its mask.
template <class Offset, class Fill>
Var drop(const char* label, Var x, Index steps, Offset offset, double probability, Fill fill,
         SourceLocation location) {
  Tape& tape = x.tape(location);
  auto* offsets = tape.arena().allocate_array<Index>(static_cast<std::size_t>(steps + 1));
  for (Index t = 0; t <= steps; ++t) offsets[t] = offset(t);
  const Index rows = steps == 0 ? 0 : offsets[1];
  auto* keep = tape.arena().allocate_array<Byte>(static_cast<std::size_t>(rows * x.cols()));
  if (!tape.dry()) fill(keep, rows);
  return tape.record(Dropout{label, keep, offsets, steps, 1 / (1 - probability)}, {x}, location);
}

auto filled_by(Generator& generator, double probability, Index cols) {
  return [&generator, probability, cols](Byte* keep, Index rows) {
    MaskMaker(probability, generator).fill(keep, rows * cols);
  };
}

}  // namespace

Var dropout(Var x, double probability, Generator& generator, SourceLocation location) {
  check_probability("dropout", probability, location);
  const Index rows = x.rows(location);
  if (probability == 0) return x;
  return drop(
      "dropout", x, 1, [rows](Index t) { return t * rows; }, probability,
      filled_by(generator, probability, x.cols()), location);
}

Var dropout_by_row(Var x, double probability, const std::function<Generator(Index)>& generator_of,
                   SourceLocation location) {
  check_probability("dropout", probability, location);
  const Index rows = x.rows(location), cols = x.cols(location);
  if (probability == 0) return x;
  return drop(
      "dropout", x, 1, [rows](Index t) { return t * rows; }, probability,
      [&](Byte* keep, Index count) {
        for (Index r = 0; r < count; ++r) {
          Generator generator = generator_of(r);
          MaskMaker(probability, generator).fill(keep + r * cols, cols);
        }
      },
      location);
}

Var variational_dropout(Var x, const Layout& layout, double probability, Generator& generator,
                        SourceLocation location) {
  check_probability("variational_dropout", probability, location);
  if (probability == 0) return x;
  return drop(
      "variational_dropout", x, layout.steps(), [&](Index t) { return layout.offset(t); }, probability,
      filled_by(generator, probability, x.cols(location)), location);
}

Var dropout_mask(Tape& tape, const Shape& shape, double probability, Generator& generator,
                 SourceLocation location) {
  check_probability("dropout_mask", probability, location);
  return dropout(tape.full(shape, 1), probability, generator, location);
}

Var dropout(Var x, Var mask, SourceLocation location) {
  const Shape &s = x.shape(location), &m = mask.shape(location);
  if (s.rank() == 0 || m.rank() != s.rank() || m.with(0, s[0]) != s || m[0] < s[0])
    autograd::fail(
        "dropout",
        fmt::format("a mask of shape {} came for a value of shape {}; needed as many rows or more, "
                    "and equal extents otherwise",
                    to_string(m), to_string(s)),
        location);
  return multiply(x, m == s ? mask : mask.tape(location).rows(mask, 0, s[0], location), location);
}

}  // namespace unroll::ops
