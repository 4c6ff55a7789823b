#include "ops/recompute.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Shape;
using autograd::Tape;

namespace {

constexpr std::size_t kMost = 8;  // inputs, and results

// All results lie in one output, one after the other.
struct Recompute {
  static constexpr const char* name = "recompute";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 0;
  static constexpr bool has_parameters = true, takes_memory = true;

  detail::PartFunction call;
  const void* f;
  std::array<Shape, kMost> shapes;
  std::size_t results;
  Where where;

  Shape shape(const Inputs&) const {
    Index total = 0;
    for (std::size_t o = 0; o < results; ++o) total += shapes[o].size();
    return {total};
  }

  template <class T>
  void forward(Forward<T>& context) const {
    Tape& inner = context.inner();
    inner.clear();
    const auto silent = inner.no_gradient();
    std::array<Var, kMost> in, out;
    for (int i = 0; i < context.inputs(); ++i) {
      const View<const T> x = context.in(i);
      in[static_cast<std::size_t>(i)] = inner.borrow(bytes(x.data), x.shape, x.stride);
    }
    run(inner, in, static_cast<std::size_t>(context.inputs()), out);
    T* to = context.out().data;
    for (std::size_t o = 0; o < results && !context.dry(); ++o) {
      copy_rows(out[o].view<T>(), view_of(to, shapes[o]));
      to += shapes[o].size();
    }
    inner.clear();
  }

  // The inner tape writes right into the outer gradients, so that its sums go on where the outer ones stand.
  template <class T>
  void backward(Backward<T>& context) const {
    Tape& inner = context.inner();
    inner.clear();
    std::array<Var, kMost> in, out;
    const int count = context.inputs();
    unsigned wanted = 0;
    for (int i = 0; i < count; ++i) wanted |= context.wants(i) ? 1u << i : 0u;
    std::array<std::byte*, kMost> gradients;
    (void)context.d_in(wanted, wanted, gradients.data());  // none is fresh
    for (int i = 0; i < count; ++i) {
      const auto n = static_cast<std::size_t>(i);
      const View<const T> x = context.in(i);
      in[n] = wanted >> i & 1 ? inner.borrow(bytes(x.data), x.shape, x.stride, gradients[n])
                              : inner.borrow(bytes(x.data), x.shape, x.stride);
    }
    run(inner, in, static_cast<std::size_t>(count), out);
    Var loss;  // whose derivative by the results is d_out
    const T* seed = context.d_out().data;
    for (std::size_t o = 0; o < results; ++o) {
      if (inner.value(out[o].index()).wants_gradient) {
        const Var term = sum(out[o] * inner.borrow(bytes(seed), shapes[o], shapes[o].cols()));
        loss = loss.defined() ? loss + term : term;
      }
      seed += shapes[o].size();
    }
    if (loss.defined()) inner.backward(loss, context.tape().running_gradients());
    inner.clear();
  }

  /// The nodes of the inner tape are told of themselves.
  autograd::Work work(const autograd::Application&, autograd::Phase, autograd::Work) const { return {}; }

 private:
  template <class T>
  static std::byte* bytes(const T* p) {
    return reinterpret_cast<std::byte*>(const_cast<T*>(p));
  }
  void run(Tape& inner, std::span<const Var> in, std::size_t inputs, std::span<Var> out) const {
    call(f, inner, in.first(inputs), out.first(results));
    for (std::size_t o = 0; o < results; ++o)
      if (out[o].shape() != shapes[o])
        autograd::fail(name,
                       fmt::format("result {} is of shape {}; needed {}, as was said", o,
                                   to_string(out[o].shape()), to_string(shapes[o])),
                       where);
  }
};

}  // namespace

void detail::recompute(Tape& tape, std::span<const Var> inputs, std::span<const Shape> shapes,
                       PartFunction call, const void* f, std::span<Var> results, Where where) {
  if (inputs.size() > kMost || shapes.size() > kMost || shapes.empty() || results.size() != shapes.size())
    autograd::fail("recompute",
                   fmt::format("{} inputs, {} shapes and {} results came; needed up to {} each, and as many "
                               "results as shapes",
                               inputs.size(), shapes.size(), results.size(), kMost),
                   where);
  Recompute op{call, f, {}, shapes.size(), where};
  std::ranges::copy(shapes, op.shapes.begin());
  const Var all = tape.record(op, inputs, where)[0];
  Index begin = 0;
  for (std::size_t o = 0; o < shapes.size(); ++o) {
    results[o] = tape.reshape(tape.rows(all, begin, shapes[o].size()), shapes[o]);
    begin += shapes[o].size();
  }
}

}  // namespace unroll::ops
