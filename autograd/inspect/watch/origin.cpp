#include "autograd/inspect/watch/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/inspect/figures/listing.h"
#include "autograd/inspect/figures/numbers.h"
#include "autograd/op.h"

namespace unroll::inspect {

namespace {

using autograd::DeferredPair;
using autograd::kNone;
using autograd::Node;
using autograd::Value;

// Rows of numbers, of which the elements [begin, end), counted from the first in memory, are defined.
struct Numbers {
  autograd::DType dtype;
  const std::byte* data;
  Shape shape;
  Index stride;
  Index begin = 0, end = std::numeric_limits<Index>::max();
};

template <class F>
void each_row(const Numbers& numbers, F f) {
  autograd::dispatch(numbers.dtype, [&]<class T>() {
    for (Index r = 0; r < numbers.shape.rows(); ++r) {
      const Index first = r * numbers.stride;
      const Index begin = std::max(first, numbers.begin);
      const Index end = std::min(first + numbers.shape.cols(), numbers.end);
      const T* data = reinterpret_cast<const T*>(numbers.data);
      if (begin < end) f(std::span(data + begin, static_cast<std::size_t>(end - begin)));
    }
  });
}

template <class T>
bool is_bad(T x, Bad bad) {
  return bad == Bad::nan ? x != x : !(std::abs(x) <= std::numeric_limits<T>::max());
}

bool any_bad(const Numbers& numbers, Bad bad) {
  bool any = false;
  each_row(numbers, [&]<class T>(std::span<const T> row) {
    bool here = false;
    if (bad == Bad::nan)
      for (T x : row) here |= is_bad(x, Bad::nan);
    else
      for (T x : row) here |= is_bad(x, Bad::nan_or_infinity);
    any = any || here;
  });
  return any;
}

struct Survey {
  Origin::Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 0};
  const std::byte* first_bad = nullptr;
  double number = 0;

  void add(const Numbers& numbers, Bad bad) {
    each_row(numbers, [&]<class T>(std::span<const T> row) {
      for (const T& x : row) {
        if (x == x) {
          range.low = std::min(range.low, static_cast<double>(x));
          range.high = std::max(range.high, static_cast<double>(x));
        }
        if (!is_bad(x, bad)) continue;
        if (range.bad++ > 0) continue;
        first_bad = reinterpret_cast<const std::byte*>(&x);
        number = static_cast<double>(x);
      }
    });
  }
};
Survey survey(const Numbers& numbers, Bad bad) {
  Survey result;
  result.add(numbers, bad);
  return result;
}

Numbers numbers_of(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  return {tape.dtype(), v.data, v.shape, v.stride};
}

// What has been added to the gradient of a value so far.
Numbers gradient_of(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  const autograd::Gradient& gradient = tape.walk().gradient(v.buffer);
  if (!gradient.memory) return {tape.dtype(), nullptr, Shape{0}, 0};
  const Index before = tape.records().begin(v), scalar = static_cast<Index>(size_of(tape.dtype()));
  return {tape.dtype(),
          tape.walk().gradient_of(v),
          v.shape,
          v.stride,
          (gradient.sums.begin - before) / scalar,
          (gradient.sums.end - before) / scalar};
}

// Position of an element that lies `at` in memory.
std::array<Index, Shape::kMaxRank> element_at(const Numbers& numbers, const std::byte* at) {
  const Index flat = (at - numbers.data) / static_cast<Index>(size_of(numbers.dtype));
  Index rest = numbers.stride == 0 ? 0 : flat / numbers.stride;
  std::array<Index, Shape::kMaxRank> element{};
  const int rank = numbers.shape.rank();
  if (rank > 0) element[static_cast<std::size_t>(rank - 1)] = flat - rest * numbers.stride;
  for (int axis = rank - 2; axis >= 0; --axis) {
    element[static_cast<std::size_t>(axis)] = rest % numbers.shape[axis];
    rest /= numbers.shape[axis];
  }
  return element;
}

bool holds(const Numbers& numbers, const std::byte* at) {
  const Index rows = numbers.shape.rows();
  if (numbers.shape.size() == 0) return false;
  const Index elements = (rows - 1) * numbers.stride + numbers.shape.cols();
  return at >= numbers.data && at < numbers.data + elements * static_cast<Index>(size_of(numbers.dtype));
}

std::string op_of(const Node& node) { return node.table->name(node.op); }

// A copy is what it was made of.
std::string source_of(const Tape& tape, std::uint32_t id) {
  const autograd::Buffer& buffer = tape.buffer(id);
  const autograd::Provenance* from = tape.records().provenance(buffer);
  if (from && from->of != kNone) return source_of(tape, from->of);
  if (from && from->parameter) return "parameter " + leaf_name(tape, buffer);
  if (const std::uint32_t node = tape.value(id).node; node != kNone)
    return fmt::format("what {} made", op_of(tape.nodes()[node]));
  return leaf_name(tape, buffer) +
         (from && from->location.line > 0 ? " (" + source_line(from->location) + ")" : "");
}

bool overwrites(const Tape& tape, const Node& node, std::uint32_t input) {
  for (std::uint32_t o = 0; o < node.output_count; ++o)
    if (tape.value(node.first_output + o).buffer == tape.value(input).buffer) return true;
  return false;
}

void place(Origin& origin, std::string name, const Numbers& numbers, const Survey& s) {
  origin.place = std::move(name);
  origin.shape = numbers.shape;
  origin.element = element_at(numbers, s.first_bad);
  origin.number = std::isnan(s.number) ? std::abs(s.number) : s.number;  // the sign of NaN is chance
  origin.count = s.range.bad;
}

}  // namespace

// -- The walk.

void OriginWatch::begin(Tape& tape, std::uint32_t node, Phase phase) {
  if (origin_ || tape.dry()) return;
  Running now{&tape, node, {}, nullptr};
  const Node& n = tape.nodes()[node];
  if (phase == Phase::forward)
    for (std::uint32_t i = 0; i < n.input_count; ++i) {
      if (!overwrites(tape, n, n.inputs[i])) continue;
      const Survey s = survey(numbers_of(tape, n.inputs[i]), bad_);
      now.overwritten.push_back({fmt::format("input {}", i), tape.value(n.inputs[i]).shape, s.range});
      if (s.first_bad) now.first_bad = s.first_bad;
    }
  running_.push_back(std::move(now));
  if (phase == Phase::backward) begin_backward(tape, node);
  if (phase == Phase::deferred) (void)check_old_gradient(tape, node, phase, n.inputs[n.deferred]);
}

void OriginWatch::end(Tape& tape, std::uint32_t node, Phase phase) {
  if (origin_ || tape.dry()) return;
  if (phase == Phase::forward) end_forward(tape, node);
  if (phase == Phase::backward) end_backward(tape, node);
  if (phase == Phase::deferred) end_deferred(tape, node);
  running_.pop_back();
}

void OriginWatch::abandoned(Tape& tape, std::uint32_t, Phase) {
  if (!origin_ && !tape.dry()) running_.pop_back();
}

Origin& OriginWatch::found(Tape& tape, std::uint32_t node, Phase phase) {
  const Node& n = tape.nodes()[node];
  Origin& origin = origin_.emplace();
  origin.op = op_of(n);
  origin.phase = phase;
  origin.module = tape.scope_path(n.scope);
  origin.step = n.step;
  origin.location = n.location;
  origin.line = source_line(tape, n);
  return origin;
}

void OriginWatch::end_forward(Tape& tape, std::uint32_t node) {
  const Node& n = tape.nodes()[node];
  for (std::uint32_t o = 0; o < n.output_count; ++o) {
    const Numbers output = numbers_of(tape, n.first_output + o);
    if (!any_bad(output, bad_)) continue;
    Origin& origin = found(tape, node, Phase::forward);
    place(origin, fmt::format("output {}", o), output, survey(output, bad_));
    add_forward_operands(tape, node);
    for (std::uint32_t i = 0; i < n.input_count; ++i) {
      const bool gone = overwrites(tape, n, n.inputs[i]);
      const std::byte* number =
          gone ? running_.back().first_bad : survey(numbers_of(tape, n.inputs[i]), bad_).first_bad;
      if (number) return blame_input(tape, n.inputs[i], number);
    }
    return;
  }
}

void OriginWatch::add_forward_operands(Tape& tape, std::uint32_t node) {
  const Node& n = tape.nodes()[node];
  auto gone = running_.back().overwritten.begin();
  for (std::uint32_t i = 0; i < n.input_count; ++i) {
    const Numbers input = numbers_of(tape, n.inputs[i]);
    if (running_.back().node == node && overwrites(tape, n, n.inputs[i]) &&
        gone != running_.back().overwritten.end())
      origin_->operands.push_back(*gone++);
    else
      origin_->operands.push_back({fmt::format("input {}", i), input.shape, survey(input, bad_).range});
  }
}

// The leaf is looked for in the outermost tape: an inner one only borrows its numbers.
void OriginWatch::blame_input(Tape& tape, std::uint32_t input, const std::byte* number) {
  Origin& origin = *origin_;
  for (const Running& r : running_) {
    const auto values = r.tape->values();
    for (std::uint32_t id = 0; id < values.size(); ++id) {
      const Numbers leaf = numbers_of(*r.tape, id);
      if (values[id].node != kNone || values[id].view || !holds(leaf, number)) continue;
      origin.source = source_of(*r.tape, id);
      return place(origin, "", leaf, survey(leaf, bad_));
    }
  }
  const Node& maker = tape.nodes()[tape.value(input).node];
  origin.source = fmt::format("{} ({}), which was not watched", op_of(maker), source_line(maker.location));
  place(origin, "", numbers_of(tape, input), survey(numbers_of(tape, input), bad_));
}

// -- Backward.

// Sums go on over passes: what a parameter's gradient held before this one is not this one's fault.
bool OriginWatch::check_old_gradient(Tape& tape, std::uint32_t node, Phase phase, std::uint32_t id) {
  const Parameter::Leaf* parameter = tape.records().parameter(tape.buffer(id));
  if (!parameter || !seen_.insert(parameter).second) return false;
  const autograd::Gradients::Entry* entry = tape.walk().gradients()->find(parameter);
  if (!entry) return false;
  const Numbers old{entry->buffer().dtype(), entry->buffer().raw(), entry->buffer().shape(),
                    entry->buffer().shape().cols()};
  if (!any_bad(old, bad_)) return false;
  Origin& origin = found(tape, node, phase);
  origin.source = fmt::format("the gradient of '{}' before this pass", parameter->name);
  place(origin, "", old, survey(old, bad_));
  return true;
}

void OriginWatch::begin_backward(Tape& tape, std::uint32_t node) {
  const Node& n = tape.nodes()[node];
  for (std::uint32_t o = 0; o < n.output_count; ++o) {
    const Numbers d_out = gradient_of(tape, n.first_output + o);
    if (!any_bad(d_out, bad_)) continue;
    Origin& origin = found(tape, node, Phase::backward);
    origin.source = "the seed of backward";
    return place(origin, "", d_out, survey(d_out, bad_));
  }
  for (std::uint32_t i = 0; i < n.input_count; ++i)
    if (check_old_gradient(tape, node, Phase::backward, n.inputs[i])) return;
}

void OriginWatch::end_backward(Tape& tape, std::uint32_t node) {
  const Node& n = tape.nodes()[node];
  for (std::uint32_t i = 0; i < n.input_count; ++i) {
    const std::uint32_t id = n.inputs[i];
    if (!tape.value(id).wants_gradient || static_cast<std::int32_t>(i) == n.deferred) continue;
    Numbers d_in = gradient_of(tape, id);
    const Parameter::Leaf* parameter = tape.records().parameter(tape.buffer(id));
    if (!d_in.data && parameter) {  // rows of a table
      const autograd::Gradients::Entry* entry = tape.walk().gradients()->find(parameter);
      if (!entry || entry->state() == autograd::Gradients::Entry::State::none) continue;
      d_in = {entry->buffer().dtype(), entry->buffer().raw(), entry->buffer().shape(),
              entry->buffer().shape().cols()};
    }
    if (!any_bad(d_in, bad_)) continue;
    Origin& origin = found(tape, node, Phase::backward);
    place(origin, fmt::format("gradient of input {}", i), d_in, survey(d_in, bad_));
    for (std::uint32_t o = 0; o < n.output_count; ++o) {
      const Numbers d_out = gradient_of(tape, n.first_output + o);
      origin.operands.push_back(
          {fmt::format("gradient of output {}", o), d_out.shape, survey(d_out, bad_).range});
    }
    return add_forward_operands(tape, node);
  }
}

void OriginWatch::end_deferred(Tape& tape, std::uint32_t node) {
  const std::uint32_t id = tape.nodes()[node].inputs[tape.nodes()[node].deferred];
  const Numbers sum = gradient_of(tape, id);
  if (!any_bad(sum, bad_)) return;
  const Survey s = survey(sum, bad_);
  const auto element = element_at(sum, s.first_bad);

  // Of all products in the sum, the one that is largest there.
  const DeferredPair* culprit = nullptr;
  double largest = -1;
  autograd::dispatch(tape.dtype(), [&]<class T>() {
    for (std::uint32_t p = tape.walk().first_pair(id); p != kNone; p = tape.walk().pair(p).next) {
      const DeferredPair& pair = tape.walk().pair(p);
      const T* left = reinterpret_cast<const T*>(pair.left) + element[0];
      const T* right = reinterpret_cast<const T*>(pair.right) + element[1];
      double part = 0;
      for (Index r = 0; r < pair.rows; ++r)
        part += static_cast<double>(left[r * pair.left_stride]) *
                static_cast<double>(right[r * pair.right_stride]);
      if (part == part && std::abs(part) <= largest) continue;
      largest = part == part ? std::abs(part) : std::numeric_limits<double>::infinity();
      culprit = &pair;
    }
  });
  if (!culprit) return;

  auto is_its = [&](const Node& n) {
    if (n.deferred < 0 || n.inputs[n.deferred] != id) return false;
    const std::byte* d_out = gradient_of(tape, n.first_output).data;
    return d_out && (d_out == culprit->left || d_out == culprit->right);
  };
  const auto maker = std::ranges::find_if(tape.nodes(), is_its);
  const bool known = maker != tape.nodes().end();
  Origin& origin =
      found(tape, known ? static_cast<std::uint32_t>(maker - tape.nodes().begin()) : node, Phase::deferred);
  const int input = tape.nodes()[node].deferred;
  place(origin, fmt::format("gradient of input {}", input), sum, s);
  for (const auto& [name, data, cols, stride] :
       {std::tuple("left factor", culprit->left, culprit->left_cols, culprit->left_stride),
        std::tuple("right factor", culprit->right, culprit->right_cols, culprit->right_stride)}) {
    const Numbers factor{tape.dtype(), data, Shape{culprit->rows, cols}, stride};
    origin.operands.push_back({name, factor.shape, survey(factor, bad_).range});
  }
}

// -- What is said.

namespace {

std::string_view text_of(Phase phase) {
  return phase == Phase::forward    ? "forward"
         : phase == Phase::backward ? "backward"
                                    : "backward, weight product";
}

std::string element_text(const Origin& origin) {
  return fmt::format("[{}]",
                     fmt::join(origin.element.begin(), origin.element.begin() + origin.shape.rank(), ", "));
}

std::string text_of(const Origin::Operand& operand) {
  std::string text = fmt::format("{} {} ", operand.name, to_string(operand.shape));
  if (operand.range.low > operand.range.high)
    text += operand.shape.size() == 0 ? "empty" : "all NaN";
  else
    text += fmt::format("in [{:.6g}, {:.6g}]", operand.range.low, operand.range.high);
  return text;
}

// Infinities that were allowed may be among them, see Bad.
const char* out_of(const std::vector<Origin::Operand>& operands) {
  const bool finite = std::ranges::all_of(operands, [](const Origin::Operand& o) {
    return o.range.low > o.range.high || (std::isfinite(o.range.low) && std::isfinite(o.range.high));
  });
  return finite ? "finite numbers" : "numbers that are no NaN";
}

}  // namespace

std::string Origin::describe() const {
  std::string at = std::string(text_of(phase));
  if (step >= 0) at += fmt::format(", step {}", step);
  if (!module.empty()) at += fmt::format(" of {}", module);
  at += fmt::format(" ({})", line);
  const std::string elements =
      fmt::format("{} element{}, first {}", count, count == 1 ? "" : "s", element_text(*this));
  if (!source.empty())
    return fmt::format("{} came with {} {}: {}; first used by {}, {}", number, source, to_string(shape),
                       elements, op, at);
  std::string text = fmt::format("{} made {} out of {}, {}: {} {}, {}", op, number, out_of(operands), at,
                                 place, to_string(shape), elements);
  for (std::size_t i = 0; i < operands.size(); ++i) text += (i ? ", " : "; ") + text_of(operands[i]);
  return text;
}

void to_json(nlohmann::json& json, const Origin& origin) {
  json = {{"text", origin.describe()},
          {"source", origin.source},
          {"number", fmt::format("{}", origin.number)},
          {"out_of", out_of(origin.operands)},
          {"place", origin.place},
          {"shape", to_string(origin.shape)},
          {"element", element_text(origin)},
          {"count", origin.count},
          {"op", origin.op},
          {"phase", text_of(origin.phase)},
          {"module", origin.module},
          {"step", origin.step},
          {"where", origin.line},
          {"operands", nlohmann::json::array()}};
  for (const Origin::Operand& o : origin.operands)
    json["operands"].push_back({{"name", o.name},
                                {"shape", to_string(o.shape)},
                                {"low", number_json(o.range.low)},
                                {"high", number_json(o.range.high)},
                                {"bad", o.range.bad}});
}

}  // namespace unroll::inspect
