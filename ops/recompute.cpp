#include "ops/recompute.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "autograd/op.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Shape;
using autograd::Tape;
using detail::bytes_of;
using detail::PartResults;

namespace {

constexpr std::size_t kMost = 8;  // inputs, and results

struct Recompute {
  static constexpr const char* name = "recompute";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 0;
  static constexpr bool has_parameters = true, takes_memory = true;

  detail::PartFunction call;
  const void* f;
  std::array<Shape, kMost> shapes;
  std::size_t count;  // of results
  SourceLocation location;

  PartResults results() const { return {std::span(shapes).first(count)}; }
  Shape shape(const Inputs&) const { return {results().size()}; }

  template <class T>
  void forward(Forward<T>& context) const {
    Tape& inner = context.inner();
    inner.clear();
    const auto silent = inner.no_gradient();
    std::array<Var, kMost> in, out;
    for (int i = 0; i < context.inputs(); ++i) {
      const View<const T> x = context.in(i);
      in[static_cast<std::size_t>(i)] = inner.borrow(bytes_of(x.data), x.shape, x.stride);
    }
    run(inner, in, static_cast<std::size_t>(context.inputs()), out);
    results().copy(out, bytes_of(context.out().data));
    inner.clear();
  }

  // The inner tape writes right into the outer gradients, so that its sums go on where the outer ones stand.
  template <class T>
  void backward(Backward<T>& context) const {
    Tape& inner = context.inner();
    inner.clear();
    std::array<Var, kMost> in, out;
    const int inputs = context.inputs();
    unsigned wanted = 0;
    for (int i = 0; i < inputs; ++i) wanted |= context.wants(i) ? 1u << i : 0u;
    std::array<std::byte*, kMost> gradients;
    (void)context.d_in(wanted, wanted, gradients.data());  // none is fresh
    for (int i = 0; i < inputs; ++i) {
      const auto n = static_cast<std::size_t>(i);
      const View<const T> x = context.in(i);
      in[n] = wanted >> i & 1 ? inner.borrow(bytes_of(x.data), x.shape, x.stride, gradients[n])
                              : inner.borrow(bytes_of(x.data), x.shape, x.stride);
    }
    run(inner, in, static_cast<std::size_t>(inputs), out);
    results().walk_back(out, bytes_of(context.d_out().data), context.tape().running_gradients());
    inner.clear();
  }

  /// The nodes of the inner tape are told of themselves.
  autograd::Work work(const autograd::Application&, autograd::Phase, autograd::Work) const { return {}; }

 private:
  void run(Tape& inner, std::span<const Var> in, std::size_t inputs, std::span<Var> out) const {
    call(f, 0, inner, in.first(inputs), out.first(count));
    results().check(name, out, location);
  }
};

}  // namespace

void detail::recompute(Tape& tape, std::span<const Var> inputs, std::span<const Shape> shapes,
                       PartFunction call, const void* f, std::span<Var> results, SourceLocation location) {
  if (inputs.size() > kMost || shapes.size() > kMost || shapes.empty() || results.size() != shapes.size())
    autograd::fail("recompute",
                   fmt::format("{} inputs, {} shapes and {} results came; needed up to {} each, and as many "
                               "results as shapes",
                               inputs.size(), shapes.size(), results.size(), kMost),
                   location);
  Recompute op{call, f, {}, shapes.size(), location};
  std::ranges::copy(shapes, op.shapes.begin());
  const Var all = tape.record(op, inputs, location)[0];
  PartResults{shapes}.take(all, 0, results);
}

}  // namespace unroll::ops
