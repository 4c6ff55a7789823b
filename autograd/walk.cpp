#include "autograd/walk.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "autograd/op.h"

namespace unroll::autograd {

inline ByteRange Walk::range(const Value& v) const {
  const Index begin = v.data - buffers_[v.buffer].data;
  const Index rows = v.shape.rows(), cols = v.shape.cols();
  return {begin, rows == 0 || cols == 0 ? begin : begin + ((rows - 1) * v.stride + cols) * scalar_};
}

// -- Gradient memory.

void Walk::complete(std::uint32_t id, ByteRange range) {
  Gradient& g = at(id);
  auto zero = [&](Index from, Index to) {
    if (g.lies == Lies::in_place && !g.done && from < to) move_out(g, buffers_[id]);
    if (dry_) return;
    std::memset(g.memory + from, 0, static_cast<std::size_t>(to - from));
  };
  if (range.empty() || g.sums.contains(range)) return;
  if (g.sums.empty()) {
    zero(range.begin, range.end);
    g.sums = range;
    return;
  }
  if (range.begin < g.sums.begin) {
    zero(range.begin, g.sums.begin);
    g.sums.begin = range.begin;
  }
  if (range.end > g.sums.end) {
    zero(g.sums.end, range.end);
    g.sums.end = range.end;
  }
}

inline Gradient& Walk::with_gradient(std::uint32_t id) {
  Gradient& g = at(id);
  if (!g.memory) begin_gradient(g, buffers_[id]);
  return g;
}

// Something is about to be added to it for the first time.
void Walk::begin_gradient(Gradient& g, Buffer& buffer) {
  if (buffer.provenance > 0 && !partial_) {
    const Parameter::Leaf* parameter = tape_.records().parameter(buffer);
    if (parameter) return begin_parameter(g, buffer, *parameter);
  }
  if (may_overwrite_ && buffer.donated() && !buffer.keeps_gradient) {
    buffer.happens(Event::overwrite);
    g.memory = buffer.data;
    g.lies = Lies::in_place;
  } else {
    g.memory = tape_.pool().take(static_cast<std::size_t>(buffer.bytes));
    g.lies = Lies::pooled;
  }
  g.sums = {};
}

// On its own, as what it needs of registers is not saved for the others then.
void Walk::begin_parameter(Gradient& g, const Buffer& buffer, const Parameter::Leaf& parameter) {
  Gradients::Entry& entry = gradients_->of(parameter.shared_from_this(), tape_.dtype());
  const bool undefined = entry.touch_all();
  g.memory = entry.buffer().raw();
  g.lies = Lies::parameter;
  g.sums = {0, undefined ? 0 : buffer.bytes};
  parameters_.push_back(static_cast<std::uint32_t>(&buffer - buffers_));
  if (undefined && tape_.poisoned()) std::memset(g.memory, 0xFF, entry.buffer().bytes());
}

void Walk::move_out(Gradient& g, Buffer& buffer) {
  g.memory = tape_.pool().take(static_cast<std::size_t>(buffer.bytes));
  g.lies = Lies::pooled;
  if (g.sums.empty()) buffer.happens(Event::restore);
  if (tape_.dry()) return;
  std::memcpy(g.memory + g.sums.begin, buffer.data + g.sums.begin,
              static_cast<std::size_t>(g.sums.end - g.sums.begin));
}

// Takes a range in which nothing has been added yet; the caller will assign all of it.
bool Walk::claim(std::uint32_t id, ByteRange range) {
  Gradient& g = at(id);
  if (range.empty()) return false;
  if (g.sums.empty()) {
    g.sums = range;
  } else if (range.begin >= g.sums.end) {
    complete(id, {g.sums.begin, range.begin});
    g.sums.end = range.end;
  } else if (range.end <= g.sums.begin) {
    complete(id, {range.end, g.sums.end});
    g.sums.begin = range.begin;
  } else {
    return false;
  }
  return true;
}

std::byte* Walk::gradient_memory(std::uint32_t id, bool& fresh) {
  const Value& v = values_[id];
  const Gradient& g = with_gradient(v.buffer);
  const ByteRange span = range(v);
  fresh = (v.stride == v.shape.cols() || v.shape.rows() == 1) && claim(v.buffer, span);
  if (!fresh) complete(v.buffer, span);
  return g.memory + span.begin;
}

// Flattened, as Tape::begin_node is.
[[gnu::flatten]] unsigned Walk::gradient_memory(std::span<const std::uint32_t> ids, unsigned wanted,
                                                unsigned summed, std::byte** memory) {
  const Value* values = values_;
  const Index scalar = scalar_;
  unsigned fresh = 0, seen = 0;  // inputs whose buffer a run before had
  for (unsigned rest = wanted; rest != 0;) {
    // A run of inputs side by side.
    const auto first = static_cast<std::size_t>(std::countr_zero(rest));
    const Value& one = values[ids[first]];
    const Index rows = one.shape.rows(), stride = one.stride;
    const Gradient& g = with_gradient(one.buffer);
    const std::byte* const data = buffers_[one.buffer].data;
    const std::byte* end = one.data;
    unsigned run = 0;
    std::byte* const gradient = g.memory;
    for (std::size_t i = first; i < ids.size() && (rest >> i & 1); ++i) {
      const Value& v = values[ids[i]];
      if (v.data != end || v.buffer != one.buffer || v.stride != stride || v.shape.rows() != rows) break;
      memory[i] = gradient + (v.data - data);
      end += v.shape.cols() * scalar;
      run |= 1u << i;
    }
    rest &= ~run;
    for (unsigned others = rest & ~seen; others != 0; others &= others - 1)
      if (const unsigned i = others & -others;
          values[ids[static_cast<std::size_t>(std::countr_zero(i))]].buffer == one.buffer)
        seen |= i | run;
    const Index begin = one.data - data, width = end - one.data;
    const Index last = width == 0 || rows == 0 ? begin : begin + (rows - 1) * stride * scalar + width;
    const bool whole = (width == stride * scalar || rows == 1) && !(run & (summed | seen));
    if (whole && claim(one.buffer, {begin, last}))
      fresh |= run;
    else
      complete(one.buffer, {begin, last});
    if (g.memory != gradient) [[unlikely]]  // it has moved out
      for (std::size_t i = first; i < ids.size() && (run >> i & 1); ++i)
        memory[i] = g.memory + (values[ids[i]].data - data);
  }
  return fresh;
}

void Walk::take_gradients(const Node& node) {
  bool fresh = false;
  for (std::uint32_t i = 0; i < node.input_count; ++i)
    if (wants(tape_.value(node.inputs[i]))) (void)gradient_memory(node.inputs[i], fresh);
}

Gradients::Entry* Walk::sparse_entry(std::uint32_t id) {
  const Value& v = tape_.value(id);
  const Parameter::Leaf* parameter = partial_ ? nullptr : tape_.records().parameter(tape_.buffer(v));
  if (!parameter || v.view) return nullptr;
  if (at(v.buffer).memory) complete(v.buffer, {0, tape_.buffer(v).bytes});
  return &gradients_->of(parameter->shared_from_this(), tape_.dtype());
}

void Walk::release(std::uint32_t id) {
  Gradient& g = at(id);
  g.done = true;
  const Buffer& buffer = buffers_[id];
  // Not `lies` and `pins` side by side: read as one word, they would wait for the stores of each.
  if (g.lies != Lies::pooled || buffer.keeps_gradient || g.pins > 0) return;
  tape_.pool().give(g.memory, static_cast<std::size_t>(buffer.bytes));
  g.memory = nullptr;
  g.lies = Lies::none;
}

bool Walk::reached(const Value& output) const {
  const Gradient& g = at(output.buffer);
  return g.memory && range(output).overlaps(g.sums);
}

const Gradient& Walk::gradient(std::uint32_t buffer) const {
  return (partial_ ? own_[buffer] : tape_.records().buffers[buffer]).gradient;
}

std::byte* Walk::gradient_of(const Value& v) const {
  const Gradient& g = gradient(v.buffer);
  return g.memory ? g.memory + tape_.records().begin(v) : nullptr;
}

// -- Deferred products.

Walk::Deferred& Walk::deferred(std::uint32_t id) { return deferred_[tape_.value(id).operand - 1]; }

std::uint32_t Walk::pending(std::uint32_t id) const {
  const std::uint32_t operand = tape_.value(id).operand;
  return operand > 0 && operand <= deferred_.size() ? deferred_[operand - 1].pending : 0;
}

std::uint32_t Walk::first_pair(std::uint32_t id) const {
  const std::uint32_t operand = tape_.value(id).operand;
  return operand > 0 && operand <= deferred_.size() ? deferred_[operand - 1].first : kNone;
}

DeferredPair& Walk::defer(std::uint32_t id, std::uint32_t pinned, Flush flush) {
  const auto index = static_cast<std::uint32_t>(pairs_.size());
  Deferred& list = deferred(id);
  (list.first == kNone ? list.first : pairs_[list.last].next) = index;
  list.last = index;
  ++at(pinned).pins;
  flush_ = flush;
  DeferredPair& pair = pairs_.add();
  pair.pinned = pinned;
  pair.next = kNone;
  return pair;
}

// One node less may defer a product for an input of it; a partial walk does not wait for the others.
void Walk::settle(std::uint32_t node) {
  const Node& n = tape_.nodes()[node];
  const std::uint32_t id = n.inputs[n.deferred];
  Deferred& list = deferred(id);
  if (!partial_ && --list.pending > 0) return;
  if (list.first == kNone) return;
  told(node, Phase::deferred, [&] { flush_(*this, id); });
  for (std::uint32_t p = list.first; p != kNone && !partial_; p = pairs_[p].next) {
    const std::uint32_t pinned = pairs_[p].pinned;
    if (--at(pinned).pins == 0 && at(pinned).done) release(pinned);
  }
  list.first = kNone;
}

// -- The walk.

Walk::~Walk() {
  if (partial_) clear();
}

void Walk::clear() {
  if (partial_)
    for (std::uint32_t id = 0; id < own_.size(); ++id)
      if (const Gradient& g = own_[id].gradient; g.lies == Lies::pooled)
        tape_.pool().give(g.memory, static_cast<std::size_t>(own_[id].bytes));
  deferred_.clear();
  pairs_.clear();
  hooks_.clear();
  next_hook_ = 0;
}

void Walk::find_records() {
  Records& records = tape_.records();
  values_ = records.values.data();
  buffers_ = partial_ ? own_.data() : records.buffers.data();
  nodes_ = records.nodes.data();
  observers_ = tape_.context().observers;
  dtype_ = tape_.dtype();
  dry_ = tape_.dry();
  scalar_ = static_cast<Index>(size_of(dtype_));
}

void Walk::start() {
  Records& records = tape_.records();
  if (partial_)
    for (const Buffer& buffer : records.buffers) {
      own_.add() = buffer;
      own_.back().gradient = {};
    }
  find_records();
  deferred_.clear();
  for (const Operand& factor : records.operands) deferred_.add() = {factor.pending, kNone, kNone};
  pairs_.clear();
  parameters_.clear();
}

void Walk::take_lent() {
  const Records& records = tape_.records();
  for (const Provenance& from : records.provenances)
    if (from.lent)
      at(from.buffer) = {from.lent, {0, records.buffers[from.buffer].bytes}, 0, Lies::lent, false};
}

void Walk::add_seed(const Seed& seed) {
  bool fresh = false;
  std::byte* memory = gradient_memory(seed.output.index(), fresh);
  const Value& v = tape_.value(seed.output.index());
  if (tape_.dry()) return;
  dispatch(tape_.dtype(), [&]<class T>() {
    const View<T> target{reinterpret_cast<T*>(memory), v.shape, v.stride};
    if (!seed.values) {
      target(0, 0) = (fresh ? T(0) : target(0, 0)) + T(1);
      return;
    }
    dispatch(seed.dtype, [&]<class S>() {
      const auto* from = reinterpret_cast<const S*>(seed.values);
      if (fresh) return copy(view_of(from, v.shape), target);
      for (Index r = 0; r < target.rows(); ++r)
        for (Index c = 0; c < target.cols(); ++c) target(r, c) += static_cast<T>(from[r * target.cols() + c]);
    });
  });
}

void Walk::run(std::span<const Seed> seeds, Gradients& gradients) {
  struct Running {
    Walk& walk;
    bool done = false;
    ~Running() {
      if (!done && !walk.tape_.is_part()) walk.gradients_->clear();
      walk.gradients_ = nullptr;
    }
  } running{*this};
  const Context::Setting walking(tape_.context().walking, 1);
  gradients_ = &gradients;
  may_overwrite_ = !tape_.context().keeps_values && !tape_.context().observers->read_values();
  start();
  take_lent();
  sort_hooks();
  for (const Seed& seed : seeds) add_seed(seed);
  for (auto n = static_cast<std::uint32_t>(tape_.nodes().size()); n-- > 0;) take_node(n);
  (void)sums();
  call_hooks(kNone);
  running.done = true;
}

std::vector<Tensor> Walk::run(std::uint32_t begin, std::uint32_t end, std::span<const Seed> seeds,
                              std::span<const Var> inputs) {
  Gradients unused;
  const Observers::Mute mute(*tape_.context().observers);
  const Context::Setting walking(tape_.context().walking, 1);
  gradients_ = &unused;
  partial_ = true;
  start();
  const Records& records = tape_.records();
  const std::span<const Node> nodes = tape_.nodes();
  // A value wants a gradient if memory that it shares depends on an input.
  wanted_.assign(records.buffers.size(), false);
  auto wanted = [&](std::uint32_t id) { return wanted_[records.values[id].buffer]; };
  for (const Var x : inputs) wanted(x.index()) = true;
  for (std::uint32_t n = begin; n < end; ++n) {
    const std::span ids(nodes[n].inputs, nodes[n].input_count);
    if (std::ranges::any_of(ids, [&](std::uint32_t id) { return bool(wanted(id)); }))
      for (std::uint32_t o = 0; o < nodes[n].output_count; ++o) wanted(nodes[n].first_output + o) = true;
  }
  for (const Seed& seed : seeds)
    if (wanted(seed.output.index())) add_seed(seed);
  for (std::uint32_t n = end; n-- > begin;) take_node(n);
  std::vector<Tensor> result;
  for (const Var x : inputs) result.push_back(gradient_tensor(x.index()));
  gradients_ = nullptr;
  return result;
}

[[gnu::flatten]] void Walk::take_node(std::uint32_t index) {
  const Node& node = nodes_[index];
  const Value* const outputs = values_ + node.first_output;
  bool any = false;
  if (node.wants_gradient)
    for (std::uint32_t o = 0; o < node.output_count; ++o) any = any || reached(outputs[o]);
  auto is_its = [&](std::uint32_t buffer) { return values_[buffers_[buffer].value].node == index; };
  for (std::uint32_t o = 0; any && o < node.output_count; ++o) {
    const std::uint32_t buffer = outputs[o].buffer;
    with_gradient(buffer).done = is_its(buffer);
    complete(buffer, range(outputs[o]));
  }
  if (index == hooked_) [[unlikely]]
    call_hooks(index);
  if (any) told(index, Phase::backward, [&] { node.table->backward(*this, node); });
  if (node.deferred >= 0) settle(index);
  // What a partial one gives back at its end may be read at its inputs until then.
  for (std::uint32_t o = 0; o < node.output_count && !partial_; ++o)
    if (const std::uint32_t buffer = outputs[o].buffer; is_its(buffer)) release(buffer);
}

Gradients& Walk::sums() {
  for (const std::uint32_t id : parameters_) complete(id, {0, tape_.records().buffers[id].bytes});
  return *gradients_;
}

// f(), of which the observers are told.
template <class F>
void Walk::told(std::uint32_t node, Phase phase, F f) {
  if (observers_->empty()) return f();
  Observers::NodeRun run(*observers_, tape_, node, phase);
  run.begin();
  f();
  run.end();
}

// -- Hooks.

// Into the order in which the walk comes by: the last node first, leaves at the end.
void Walk::sort_hooks() {
  next_hook_ = 0;
  for (Hook& hook : hooks_) hook.node = tape_.value(hook.value).node;
  std::ranges::stable_sort(hooks_, std::greater(), [](const Hook& h) { return h.node + 1; });
  hooked_ = hooks_.empty() ? kNoNode : hooks_[0].node;
}

// A value that was gathered from pieces is complete at its first node, which may have got no gradient itself.
void Walk::call_hooks(std::uint32_t node) {
  for (; hooked_ == node; hooked_ = ++next_hook_ < hooks_.size() ? hooks_[next_hook_].node : kNoNode) {
    const Hook& hook = hooks_[next_hook_];
    if (!dry_ && (node == kNone || reached(tape_.value(hook.value)))) hook.call(gradient_tensor(hook.value));
  }
}

Tensor Walk::gradient_tensor(std::uint32_t id) {
  const Value& v = tape_.value(id);
  Tensor result(v.shape, tape_.dtype());
  find_records();  // something may have been recorded since the walk
  if (!reached(v)) return result;
  complete(v.buffer, tape_.records().range(v));
  dispatch(tape_.dtype(), [&]<class T>() {
    copy(View<const T>{reinterpret_cast<const T*>(gradient_of(v)), v.shape, v.stride}, result.view<T>());
  });
  return result;
}

}  // namespace unroll::autograd
