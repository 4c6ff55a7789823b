#include "ops/parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "autograd/system/thread_pool.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Shape;
using autograd::Tape;
using autograd::Value;
using detail::bytes_of;
using detail::PartResults;

namespace {

template <class T>
std::span<T> copy_of(Tape& tape, std::span<const T> list) {
  T* copy = tape.arena().allocate_array<T>(list.size());
  std::uninitialized_copy(list.begin(), list.end(), copy);
  return {copy, list.size()};
}

// What forward leaves for backward; in the arena of the outer tape.
struct Kept {
  Tape* tape;
  PartResults results;
  Index begin;  // of its results in the output
  std::span<Var> in, out;
  std::size_t nodes;                                   // of forward
  std::span<const Parameter::Leaf* const> parameters;  // that learn; in the arena of its own tape
};

struct Parallel {
  static constexpr const char* name = "parallel";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 0;
  static constexpr bool has_parameters = true, takes_memory = true;

  detail::PartFunction call;
  const void* f;
  std::span<Kept> parts;
  SourceLocation location;

  Shape shape(const Inputs&) const { return {parts.back().begin + parts.back().results.size()}; }

  template <class T>
  void forward(Forward<T>& context) const {
    each(context.tape(), true, [&](int i) {
      Kept& part = parts[static_cast<std::size_t>(i)];
      part.tape->clear();
      if (context.wants_gradient()) return run(context, part, i);
      const auto silent = part.tape->no_gradient();
      run(context, part, i);
    });
  }

  template <class T>
  void backward(Backward<T>& context) const {
    Tape& tape = context.tape();
    if (tape.pulls_back()) return pull_back(context);
    Gradients& gradients = tape.running_gradients();
    each(tape, make_entries(gradients), [&](int i) {
      const Kept& part = parts[static_cast<std::size_t>(i)];
      part.results.walk_back(part.out, bytes_of(context.d_out().data + part.begin), gradients);
    });
    for (std::size_t p = parts.size(); p-- > 0;) {
      Tape& inner = *parts[p].tape;
      for (int i = 0; i < context.inputs(); ++i) {
        if (!context.wants(i)) continue;
        const Value& x = inner.value(parts[p].in[static_cast<std::size_t>(i)].index());
        if (!inner.root(x).gradient) continue;
        bool fresh = false;
        const auto* d = reinterpret_cast<const T*>(
            inner.gradient_memory(parts[p].in[static_cast<std::size_t>(i)].index(), fresh));
        if (fresh) continue;
        const autograd::Into<T> into = context.d_in(i);
        if (!context.dry()) put_rows(View<const T>{d, x.shape, x.stride}, into);
      }
    }
  }

  /// The nodes of the inner tapes are told of themselves.
  autograd::Work work(const autograd::Application&, autograd::Phase, autograd::Work) const { return {}; }

 private:
  // The last first where it matters, as backward comes by.
  template <class F>
  void each(Tape& tape, bool independent, const F& f) const {
    const auto count = static_cast<int>(parts.size());
    if (tape.thread_pool() && independent && !tape.attended() && !tape.dry())
      return tape.thread_pool()->share(count, f);
    for (int i = 0; i < count; ++i) f(independent ? i : count - 1 - i);
  }

  template <class T>
  void run(Forward<T>& context, Kept& part, int i) const {
    Tape& inner = *part.tape;
    for (int n = 0; n < context.inputs(); ++n) {
      const View<const T> x = context.in(n);
      const bool wanted = context.wants_gradient() && context.tape().value(context.id(n)).wants_gradient;
      part.in[static_cast<std::size_t>(n)] =
          wanted ? inner.borrow(bytes_of(x.data), x.shape, x.stride, static_cast<std::byte*>(nullptr))
                 : inner.borrow(bytes_of(x.data), x.shape, x.stride);
    }
    call(f, i, inner, part.in, part.out);
    part.results.check(name, part.out, location);
    part.results.copy(part.out, bytes_of(context.out().data + part.begin));
    part.nodes = inner.nodes().size();
    if (context.wants_gradient()) part.parameters = learning(inner);
  }

  static std::span<const Parameter::Leaf* const> learning(Tape& tape) {
    auto learns = [&](const autograd::Root& root) {
      return root.parameter && tape.value(root.value).wants_gradient;
    };
    const auto count = static_cast<std::size_t>(std::ranges::count_if(tape.roots(), learns));
    auto* list = tape.arena().allocate_array<const Parameter::Leaf*>(count);
    auto* next = list;
    for (const autograd::Root& root : tape.roots())
      if (learns(root)) *next++ = root.parameter;
    return {list, count};
  }

  // So that parts only look them up. False if two parts have one of them.
  bool make_entries(Gradients& gradients) const {
    bool disjoint = true;
    for (const Kept& part : parts)
      for (const Parameter::Leaf* leaf : part.parameters) {
        (void)gradients.of(*leaf, part.tape->dtype());
        for (const Kept* other = parts.data(); other != &part; ++other)
          disjoint = disjoint && std::ranges::find(other->parameters, leaf) == other->parameters.end();
      }
    return disjoint;
  }

  template <class T>
  void pull_back(Backward<T>& context) const {
    for (std::size_t p = parts.size(); p-- > 0;) {
      const Kept& part = parts[p];
      std::vector<Tensor> seeds;
      Index begin = part.begin;
      for (const Shape& shape : part.results.shapes) {
        autograd::copy(autograd::view_of(context.d_out().data + begin, shape),
                       seeds.emplace_back(shape, part.tape->dtype()).template view<T>());
        begin += shape.size();
      }
      const auto d =
          part.tape->pull_back(0, static_cast<std::uint32_t>(part.nodes), part.out, seeds, part.in);
      for (int i = 0; i < context.inputs(); ++i)
        if (context.wants(i))
          put_rows(std::as_const(d[static_cast<std::size_t>(i)]).template view<T>(), context.d_in(i));
    }
  }
};

}  // namespace

void detail::parallel(Tape& tape, std::span<const Var> inputs, std::span<const Part> parts, PartFunction call,
                      const void* f, SourceLocation location) {
  for (const Part& part : parts)
    if (part.shapes.empty() || part.results.size() != part.shapes.size())
      autograd::fail(Parallel::name,
                     fmt::format("a part with {} shapes and {} results came; needed one each, or more",
                                 part.shapes.size(), part.results.size()),
                     location);
  if (parts.empty()) return;
  Parallel op{call, f, {tape.arena().allocate_array<Kept>(parts.size()), parts.size()}, location};
  const std::size_t first = tape.new_parts(parts.size());
  Index begin = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const PartResults results{copy_of(tape, parts[p].shapes)};
    const std::size_t handles = inputs.size() + parts[p].results.size();
    Var* vars = tape.arena().allocate_array<Var>(handles);
    std::uninitialized_value_construct_n(vars, handles);
    new (&op.parts[p]) Kept{&tape.part(first + p),
                            results,
                            begin,
                            {vars, inputs.size()},
                            {vars + inputs.size(), parts[p].results.size()},
                            0,
                            {}};
    begin += results.size();
  }
  const Var all = tape.record(op, inputs, location)[0];
  for (std::size_t p = 0; p < parts.size(); ++p)
    op.parts[p].results.take(all, op.parts[p].begin, parts[p].results);
}

}  // namespace unroll::ops
