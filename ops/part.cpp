#include "ops/part.h"

#include <fmt/format.h>

#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops::detail {

using autograd::Shape;
using autograd::Tape;

Index PartResults::size() const {
  Index total = 0;
  for (const Shape& shape : shapes) total += shape.size();
  return total;
}

void PartResults::check(const char* op, std::span<const Var> out, SourceLocation location) const {
  for (std::size_t o = 0; o < shapes.size(); ++o)
    if (out[o].shape() != shapes[o])
      autograd::fail(op,
                     fmt::format("result {} is of shape {}; needed {}, as was said", o,
                                 to_string(out[o].shape()), to_string(shapes[o])),
                     location);
}

void PartResults::copy(std::span<const Var> out, std::byte* to) const {
  const Tape& inner = out[0].tape();
  if (inner.dry()) return;
  autograd::dispatch(inner.dtype(), [&]<class T>() {
    auto* place = reinterpret_cast<T*>(to);
    for (std::size_t o = 0; o < shapes.size(); ++o) {
      copy_rows(out[o].view<T>(), autograd::view_of(place, shapes[o]));
      place += shapes[o].size();
    }
  });
}

void PartResults::walk_back(std::span<const Var> out, const std::byte* seed, Gradients& gradients) const {
  Tape& inner = out[0].tape();
  Var loss;  // whose derivative by the results is the seed
  for (std::size_t o = 0; o < shapes.size(); ++o) {
    if (inner.value(out[o].index()).wants_gradient) {
      const Var term = sum(out[o] * inner.borrow(const_cast<std::byte*>(seed), shapes[o], shapes[o].cols()));
      loss = loss.defined() ? loss + term : term;
    }
    seed += shapes[o].size() * static_cast<Index>(autograd::size_of(inner.dtype()));
  }
  if (loss.defined()) inner.backward(loss, gradients);
}

void PartResults::take(Var all, Index begin, std::span<Var> results) const {
  Tape& tape = all.tape();
  for (std::size_t o = 0; o < shapes.size(); ++o) {
    results[o] = tape.reshape(tape.rows(all, begin, shapes[o].size()), shapes[o]);
    begin += shapes[o].size();
  }
}

}  // namespace unroll::ops::detail
