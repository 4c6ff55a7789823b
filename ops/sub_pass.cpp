#include "ops/sub_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "autograd/op.h"
#include "autograd/system/thread_pool.h"
#include "ops/simd/row_kernels.h"

namespace unroll::ops {

using autograd::Backward;
using autograd::Forward;
using autograd::Inputs;
using autograd::Seed;
using autograd::Shape;
using autograd::Tape;

namespace {

constexpr std::size_t kMostInputs = 32;  // a bit each: Backward::d_in

template <class T>
std::byte* bytes_of(const T* values) {
  return reinterpret_cast<std::byte*>(const_cast<T*>(values));
}

template <class T>
std::span<T> list_of(Tape& tape, std::size_t count) {
  T* list = tape.arena().allocate_array<T>(count);
  std::uninitialized_value_construct_n(list, count);
  return {list, count};
}

// A part, in the arena of the outer tape.
struct SubPass {
  Tape* tape;                     // nullptr: the one that all share that are computed again
  std::span<const Shape> shapes;  // of its results, which lie one after the other in the output of the node
  Index begin;                    // of them there
  std::span<Var> in, out;
  std::span<const Parameter::Leaf* const> parameters;  // that learn; in the arena of its own tape

  Index size() const {
    Index total = 0;
    for (const Shape& shape : shapes) total += shape.size();
    return total;
  }
  void check(const char* op, SourceLocation location) const {
    for (std::size_t o = 0; o < shapes.size(); ++o)
      if (out[o].shape() != shapes[o])
        autograd::fail(op,
                       fmt::format("result {} is of shape {}; needed {}, as was said", o,
                                   to_string(out[o].shape()), to_string(shapes[o])),
                       location);
  }
  // f(values of a result, where they lie in the output).
  template <class T, class F>
  void each_result(T* output, F f) const {
    T* place = output + begin;
    for (std::size_t o = 0; o < shapes.size(); ++o) {
      f(o, autograd::view_of(place, shapes[o]));
      place += shapes[o].size();
    }
  }
  // Walks back from the results, the gradient of the node's output being at `seed`; the last first, as if
  // they were added up one after the other.
  template <class T>
  void walk_back(const T* seed, Gradients& gradients) const {
    Tape& inner = out[0].tape();
    const std::span<Seed> seeds = list_of<Seed>(inner, shapes.size());
    std::size_t count = 0;
    const T* end = seed + begin + size();
    for (std::size_t o = shapes.size(); o-- > 0;) {
      end -= shapes[o].size();
      if (inner.value(out[o].index()).wants_gradient)
        seeds[count++] = {out[o], bytes_of(end), autograd::dtype_of<T>};
    }
    if (count > 0) inner.backward(seeds.first(count), gradients);
  }
};

// One op, and what is kept of its parts: nothing, so that they are computed again, or all.
struct SubPasses {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = autograd::kAll, reads_outputs = 1;
  static constexpr bool has_parameters = true, takes_memory = true;

  const char* label;
  bool recomputed;
  detail::PartFunction call;
  const void* f;
  std::span<SubPass> parts;
  SourceLocation location;

  Shape shape(const Inputs&) const { return {parts.back().begin + parts.back().size()}; }

  template <class T>
  void forward(Forward<T>& context) const {
    each(context.tape(), true, [&](int i) {
      SubPass& part = parts[static_cast<std::size_t>(i)];
      Tape& inner = tape_of(part, context);
      inner.clear();
      const bool kept = !recomputed && context.wants_gradient();
      std::optional<Tape::Scope> silent;
      if (!kept) silent.emplace(inner.context().silent, 1);
      for (int n = 0; n < context.inputs(); ++n) {
        const View<const T> x = context.in(n);
        const bool wanted = kept && context.tape().value(context.id(n)).wants_gradient;
        part.in[static_cast<std::size_t>(n)] =
            wanted ? inner.borrow(bytes_of(x.data), x.shape, x.stride, static_cast<std::byte*>(nullptr))
                   : inner.borrow(bytes_of(x.data), x.shape, x.stride);
      }
      run(inner, part, i);
      if (!context.dry())
        part.each_result(context.out().data,
                         [&](std::size_t o, View<T> to) { copy_rows(part.out[o].template view<T>(), to); });
      if (kept) part.parameters = learning(inner);
      if (!recomputed) return;
      if (context.wants_gradient()) context.tape().reads_again(inner);
      inner.clear();
    });
  }

  template <class T>
  void backward(Backward<T>& context) const {
    if (recomputed) return compute_again(context);
    const T* seed = context.d_out().data;
    if (context.walk().partial()) return pull_back(context, seed);
    Gradients& gradients = context.walk().sums();
    each(context.tape(), make_entries(gradients, context.tape().dtype()),
         [&](int i) { parts[static_cast<std::size_t>(i)].walk_back(seed, gradients); });
    for (std::size_t p = parts.size(); p-- > 0;) {
      Tape& inner = *parts[p].tape;
      for (int i = 0; i < context.inputs(); ++i) {
        if (!context.wants(i)) continue;
        const std::uint32_t id = parts[p].in[static_cast<std::size_t>(i)].index();
        const autograd::Value& x = inner.value(id);
        if (!inner.walk().gradient_of(x)) continue;
        bool fresh = false;
        const auto* d = reinterpret_cast<const T*>(inner.walk().gradient_memory(id, fresh));
        if (fresh) continue;
        const autograd::Into<T> into = context.d_in(i);
        if (!context.dry()) put_rows(View<const T>{d, x.shape, x.stride}, into);
      }
    }
  }

  /// The nodes of the inner tapes are told of themselves.
  autograd::Work work(const autograd::Application&, autograd::Phase, autograd::Work) const { return {}; }

 private:
  template <class Ctx>
  static Tape& tape_of(const SubPass& part, const Ctx& context) {
    return part.tape ? *part.tape : context.tape().shared_part(context.node().scope);
  }
  void run(Tape& inner, const SubPass& part, int i) const {
    call(f, i, inner, part.in, part.out);
    part.check(label, location);
  }

  // The last first where it matters, as backward comes by.
  template <class F>
  void each(Tape& tape, bool independent, const F& work) const {
    const auto count = static_cast<int>(parts.size());
    if (count > 1 && tape.thread_pool() && independent && !tape.attended() && !tape.dry())
      return tape.thread_pool()->share(count, work);
    for (int i = 0; i < count; ++i) work(independent ? i : count - 1 - i);
  }

  // The inner tape writes right into the outer gradients, so that its sums go on where the outer ones stand.
  template <class T>
  void compute_again(Backward<T>& context) const {
    const SubPass& part = parts[0];
    Tape& inner = tape_of(part, context);
    inner.clear();
    unsigned wanted = 0;
    for (int i = 0; i < context.inputs(); ++i) wanted |= context.wants(i) ? 1u << i : 0u;
    std::array<std::byte*, kMostInputs> gradients;
    (void)context.d_in(wanted, wanted, gradients.data());  // none is fresh
    for (int i = 0; i < context.inputs(); ++i) {
      const auto n = static_cast<std::size_t>(i);
      const View<const T> x = context.in(i);
      part.in[n] = wanted >> i & 1 ? inner.borrow(bytes_of(x.data), x.shape, x.stride, gradients[n])
                                   : inner.borrow(bytes_of(x.data), x.shape, x.stride);
    }
    run(inner, part, 0);
    if (!context.dry())
      part.each_result(context.out().data, [&](std::size_t o, View<const T> before) {
        expect_same(part.out[o].template view<T>(), before, o);
      });
    part.walk_back(context.d_out().data, context.walk().sums());
    inner.clear();
  }

  template <class T>
  void expect_same(View<const T> again, View<const T> before, std::size_t result) const {
    for (Index r = 0; r < before.rows(); ++r)
      if (std::memcmp(again.row(r), before.row(r), static_cast<std::size_t>(before.cols()) * sizeof(T)) != 0)
        autograd::fail(label,
                       fmt::format("row {} of result {} came out otherwise when backward computed it again; "
                                   "needed a function of its inputs and parameters alone, without a state or "
                                   "a generator of its own",
                                   r, result),
                       location);
  }

  static std::span<const Parameter::Leaf* const> learning(Tape& tape) {
    auto learns = [&](const autograd::Provenance& from) {
      return from.parameter && tape.value(tape.records().buffers[from.buffer].value).wants_gradient;
    };
    const auto& all = tape.records().provenances;
    const auto list =
        list_of<const Parameter::Leaf*>(tape, static_cast<std::size_t>(std::ranges::count_if(all, learns)));
    auto next = list.begin();
    for (const autograd::Provenance& from : all)
      if (learns(from)) *next++ = from.parameter;
    return list;
  }

  // So that parts only look them up. False if two parts have one of them.
  bool make_entries(Gradients& gradients, DType dtype) const {
    bool disjoint = true;
    for (const SubPass& part : parts)
      for (const Parameter::Leaf* leaf : part.parameters) {
        (void)gradients.of(leaf->shared_from_this(), dtype);
        for (const SubPass* other = parts.data(); other != &part; ++other)
          disjoint = disjoint && std::ranges::find(other->parameters, leaf) == other->parameters.end();
      }
    return disjoint;
  }

  template <class T>
  void pull_back(Backward<T>& context, const T* seed) const {
    for (std::size_t p = parts.size(); p-- > 0;) {
      const SubPass& part = parts[p];
      std::vector<Tensor> seeds;
      part.each_result(seed, [&](std::size_t, View<const T> d) {
        autograd::copy(d, seeds.emplace_back(d.shape, context.tape().dtype()).template view<T>());
      });
      const auto nodes = static_cast<std::uint32_t>(part.tape->nodes().size());
      const auto d = part.tape->pull_back(0, nodes, part.out, seeds, part.in);
      for (int i = 0; i < context.inputs(); ++i)
        if (context.wants(i))
          put_rows(std::as_const(d[static_cast<std::size_t>(i)]).template view<T>(), context.d_in(i));
    }
  }
};

void record(Tape& tape, std::span<const Var> inputs, std::span<const Part> parts, SubPasses op) {
  for (const Part& part : parts)
    if (part.shapes.empty() || part.results.size() != part.shapes.size() || inputs.size() > kMostInputs)
      autograd::fail(
          op.label,
          fmt::format("a part of {} inputs, {} shapes and {} results came; needed {} inputs at most, "
                      "and as many results as shapes, one or more",
                      inputs.size(), part.shapes.size(), part.results.size(), kMostInputs),
          op.location);
  if (parts.empty()) return;
  op.parts = list_of<SubPass>(tape, parts.size());
  const std::size_t first = op.recomputed ? 0 : tape.new_parts(parts.size());
  Index begin = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::span<Shape> shapes = list_of<Shape>(tape, parts[p].shapes.size());
    std::ranges::copy(parts[p].shapes, shapes.begin());
    op.parts[p] = {op.recomputed ? nullptr : &tape.part(first + p),
                   shapes,
                   begin,
                   list_of<Var>(tape, inputs.size()),
                   list_of<Var>(tape, shapes.size()),
                   {}};
    begin += op.parts[p].size();
  }
  const Var all = tape.record(op, inputs, op.location)[0];
  for (std::size_t p = 0; p < parts.size(); ++p) {
    begin = op.parts[p].begin;
    for (std::size_t o = 0; o < parts[p].shapes.size(); ++o) {
      const Shape& shape = op.parts[p].shapes[o];
      parts[p].results[o] = tape.reshape(tape.rows(all, begin, shape.size()), shape);
      begin += shape.size();
    }
  }
}

}  // namespace

void detail::recompute(Tape& tape, std::span<const Var> inputs, const Part& part, PartFunction call,
                       const void* f, SourceLocation location) {
  record(tape, inputs, {&part, 1}, {"recompute", true, call, f, {}, location});
}

void detail::parallel(Tape& tape, std::span<const Var> inputs, std::span<const Part> parts, PartFunction call,
                      const void* f, SourceLocation location) {
  record(tape, inputs, parts, {"parallel", false, call, f, {}, location});
}

}  // namespace unroll::ops
