#include "autograd/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "autograd/op.h"
#include "autograd/system/thread_pool.h"

namespace unroll::autograd {

std::vector<const OpTable*>& all_ops() {
  static std::vector<const OpTable*> ops;
  return ops;
}

// -- Handles.

void Var::reject_stale(const char* op, SourceLocation location) const {
  const bool pass_goes_on = tape_->pass() <= stamp_;
  fail(op,
       pass_goes_on ? "a handle of an earlier time step came; where nothing is kept for backward its values "
                      "are gone with the step: carry them in the state"
                    : "a handle of a cleared tape came; compute it again after clear(), or carry its values "
                      "across passes "
                      "with tensor() and constant()",
       location);
}

void Var::reject(SourceLocation location) const {
  if (!tape_) fail("value", "an empty handle came; needed one that an op or a tape gave", location);
  reject_stale("value", location);
}

DType Var::dtype() const { return tape().dtype(); }

Tensor Var::tensor(SourceLocation location) const {
  Tape& t = tape(location);
  t.observed_ = true;
  t.check_values(*this, "tensor", location);
  Tensor result(shape(location), t.dtype());
  if (!t.dry()) dispatch(t.dtype(), [&]<class T>() { copy(view<T>(location), result.view<T>()); });
  return result;
}

double Var::item(SourceLocation location) const {
  Tape& t = tape(location);
  if (shape(location).size() != 1)
    fail("item", fmt::format("a value of shape {} came; needed one element", to_string(shape(location))),
         location);
  t.check_values(*this, "item", location);
  if (t.dry()) return 0;
  return dispatch(t.dtype(), [&]<class T>() { return static_cast<double>(*view<T>(location).data); });
}

// -- The pass as a whole.

Tape::Tape(DType dtype, Dry dry) : Pass(dtype, dry) { walk_ = std::make_unique<Walk>(*this); }

Tape::~Tape() = default;

void Tape::clear() {
  if (context_.walking) fail("clear", "a call came while backward runs; needed it before or after");
  pass_ = ++stamps_;
  if (context_.scopes == &context_.own_scopes) context_.own_scopes.new_pass(current_scope());
  observed_ = false;
  storage_.clear();
  records_.clear();
  walk_->clear();
  bound_count_ = 0;
  kept_.clear();
  read_again_.clear();
  consumed_ = {};
  parts_in_use_ = 1;
}

void Tape::truncate(Index steps, SourceLocation location) {
  if (steps < 0)
    fail("truncate", fmt::format("{} steps came; needed 1 or more, or 0 for all", steps), location);
  context_.truncation = steps;
}

void Tape::use_threads(ThreadPool* threads) {
  context_.thread_pool = threads;
  context_.thread_pool_lives.reset();
  if (threads) context_.thread_pool_lives = threads->life();
}

// -- Views.

Var Tape::rows(Var x, Index begin, Index count, SourceLocation location) {
  const std::uint32_t id = check(x, "rows", location);
  const Value& v = records_.values[id];
  const Index extent = v.shape.rank() == 0 ? 0 : v.shape[0];
  if (begin < 0 || count < 0 || begin > extent - count)
    fail("rows",
         fmt::format(
             "{} rows from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), extent),
         location);
  const bool flat = v.shape.rank() == 1;
  const Index step = flat ? 1 : extent == 0 ? 0 : v.shape.rows() / extent * v.stride;
  records_.add_view(id, flat ? count : v.stride, begin * step).shape.shrink_rows(count);
  return last();
}

Var Tape::columns(Var x, Index begin, Index count, SourceLocation location) {
  const std::uint32_t id = check(x, "columns", location);
  const Value& v = records_.values[id];
  if (v.shape.rank() == 0 || begin < 0 || count < 0 || begin > v.shape.cols() - count)
    fail("columns",
         fmt::format(
             "{} columns from {} on of a value of shape {} came; needed 0 <= begin and begin + count <= {}",
             count, begin, to_string(v.shape), v.shape.rank() == 0 ? 0 : v.shape.cols()),
         location);
  records_.add_view(id, v.stride, begin).shape.shrink_cols(count);
  return last();
}

[[gnu::flatten]] void Tape::split(Var x, std::span<Var> parts, SourceLocation location) {
  const std::uint32_t id = check(x, "split", location);
  const auto count = static_cast<Index>(parts.size());
  const Shape& whole = records_.values[id].shape;
  if (count == 0 || whole.rank() == 0 || whole.cols() % count != 0)
    fail("split",
         fmt::format("a value of shape {} came; needed a number of columns divisible by {}", to_string(whole),
                     count),
         location);
  const Index each = whole.cols() / count, stride = records_.values[id].stride;
  for (Index i = 0; i < count; ++i) {
    records_.add_view(id, stride, i * each).shape.shrink_cols(each);
    parts[static_cast<std::size_t>(i)] = last();
  }
}

Var Tape::reshape(Var x, const Shape& shape, SourceLocation location) {
  const std::uint32_t id = check(x, "reshape", location);
  const Value& v = records_.values[id];
  if (shape.size() != v.shape.size())
    fail("reshape",
         fmt::format("{} elements of shape {} came for shape {}; needed {}", v.shape.size(),
                     to_string(v.shape), to_string(shape), shape.size()),
         location);
  const bool contiguous = v.stride == v.shape.cols() || v.shape.rows() <= 1;
  if (contiguous || shape.cols() == v.shape.cols()) {
    records_.add_view(id, contiguous ? shape.cols() : v.stride, 0).shape = shape;
    return last();
  }
  fail("reshape",
       fmt::format("a slice of columns of shape {} came for shape {}; needed the same number of columns, "
                   "or a copy (concat) first",
                   to_string(v.shape), to_string(shape)),
       location);
}

Var Tape::stop_gradient(Var x, SourceLocation location) {
  const std::uint32_t from = check_values(x, "stop_gradient", location);
  const Value v = records_.values[from];
  const std::uint32_t id = records_.add_leaf(v.shape, v.data, location, from);
  records_.values[id].stride = v.stride;
  Buffer& buffer = records_.buffer(v);
  buffer.used = buffer.shared = true;
  buffer.happens(Event::share);
  return handle(id);
}

// -- Backward.

void Tape::backward(Var loss, Gradients& gradients, SourceLocation location) {
  const Shape& shape = records_.values[check(loss, "backward", location)].shape;
  if (shape.size() != 1)
    fail("backward",
         fmt::format(
             "a value of shape {} came; needed one element: reduce it with sum() or mean(), or give a seed",
             to_string(shape)),
         location);
  const Seed one{loss, nullptr, dtype_};
  backward({&one, 1}, gradients, location);
}

void Tape::backward(Var output, const Tensor& seed, Gradients& gradients, SourceLocation location) {
  const Shape& shape = records_.values[check(output, "backward", location)].shape;
  if (seed.shape() != shape)
    fail("backward",
         fmt::format("a seed of shape {} came for a value of shape {}; needed the same shape",
                     to_string(seed.shape()), to_string(shape)),
         location);
  const Seed weighted{output, seed.raw(), seed.dtype()};
  backward({&weighted, 1}, gradients, location);
}

void Tape::backward(std::span<const Seed> seeds, Gradients& gradients, SourceLocation location) {
  if (consumed())
    fail("backward",
         fmt::format(
             "this tape was consumed by backward at {}:{}; needed a new pass: call clear() and compute the "
             "loss again, carrying state across passes by its values (tensor() and constant())",
             consumed_.file, consumed_.line),
         location);
  for (const Seed& seed : seeds)
    if (!records_.values[check(seed.output, "backward", location)].wants_gradient)
      fail("backward",
           "a value came that depends on no trainable parameter and no variable; needed one that does",
           location);
  expect_unchanged("backward", location);
  consumed_ = location.line > 0 ? location : SourceLocation{"unknown", 1};
  walk_->run(seeds, gradients);
}

std::vector<Tensor> Tape::pull_back(std::uint32_t begin, std::uint32_t end, std::span<const Var> outputs,
                                    std::span<const Tensor> seeds, std::span<const Var> inputs) {
  expect_unchanged("pull_back", {});
  std::vector<Seed> weighted;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    weighted.push_back({outputs[i], seeds[i].raw(), seeds[i].dtype()});
  auto readable = [&](std::uint32_t id) {
    if (buffer(id).overwritten()) reject_overwritten("pull_back", {});
  };
  for (std::uint32_t n = begin; n < end; ++n) {
    const Node& node = records_.nodes[n];
    std::ranges::for_each(std::span(node.inputs, node.input_count), readable);
    for (std::uint32_t o = 0; o < node.output_count; ++o) readable(node.first_output + o);
  }
  for (const Var x : outputs) readable(x.index());
  for (const Var x : inputs) readable(x.index());
  return Walk(*this).run(begin, end, weighted, inputs);
}

namespace {
[[noreturn]] void reject_parameter(std::string_view op, SourceLocation location) {
  fail(op, "a parameter came; its gradient is summed over passes: read it from the Gradients after backward",
       location);
}
}  // namespace

void Tape::keep_gradient(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "keep_gradient", location);
  if (consumed()) fail("keep_gradient", "backward has already run; call it before backward", location);
  if (!records_.values[id].wants_gradient)
    fail("keep_gradient", "a value came that depends on no trainable parameter and no variable", location);
  Buffer& buffer = records_.buffer(id);
  if (records_.parameter(buffer)) reject_parameter("keep_gradient", location);
  buffer.keeps_gradient = true;
}

void Tape::on_gradient(Var x, std::function<void(const Tensor&)> hook, SourceLocation location) {
  keep_gradient(x, location);
  walk_->on_gradient(x.index_, std::move(hook));
}

Tensor Tape::gradient(Var x, SourceLocation location) {
  const std::uint32_t id = check(x, "gradient", location);
  if (!consumed()) fail("gradient", "no backward has run on this tape; call backward first", location);
  if (dry()) fail("gradient", "a value of a dry tape came; needed one of a tape that computes", location);
  if (records_.parameter(buffer(id))) reject_parameter("gradient", location);
  if (!buffer(id).keeps_gradient)
    fail("gradient",
         "the gradient of this value was not kept; make it a variable(), or call keep_gradient() before "
         "backward",
         location);
  return walk_->gradient_tensor(id);
}

}  // namespace unroll::autograd
