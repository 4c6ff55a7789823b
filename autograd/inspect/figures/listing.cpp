#include "autograd/inspect/figures/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "autograd/op.h"

namespace unroll::inspect {

using autograd::kNone;
using autograd::Node;
using autograd::Value;

namespace {

// What a part of a value takes of it, "[2:4, 8:16]"; "" for all of it, be it in another shape.
std::string slice(const Tape& tape, const Value& whole, const Value& part) {
  if (part.shape.size() == whole.shape.size() || whole.stride == 0) return "";
  const Index offset = (part.data - whole.data) / static_cast<Index>(size_of(tape.dtype()));
  const bool all_columns = part.shape.cols() == whole.shape.cols();
  const std::string columns =
      fmt::format("{}:{}", offset % whole.stride, offset % whole.stride + part.shape.cols());
  if (whole.shape.rank() < 2) return "[" + columns + "]";
  const Index block = whole.shape.rows() / whole.shape[0], row = offset / whole.stride,
              count = part.shape.rows();
  if ((part.stride != whole.stride && count > 1) || row % block != 0 || count % block != 0)  // reshaped
    return fmt::format("[elements {}:{}]", offset, offset + part.shape.size());
  const std::string rows =
      count == whole.shape.rows() ? ":" : fmt::format("{}:{}", row / block, (row + count) / block);
  return "[" + rows + (all_columns ? "]" : ", " + columns + "]");
}

std::string input_name(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  const autograd::Buffer& buffer = tape.buffer(v);
  if (v.node == kNone) return leaf_name(tape, buffer) + slice(tape, tape.value(buffer.value), v);
  const Node& maker = tape.nodes()[v.node];
  std::uint32_t o = 0;
  while (o < maker.output_count && tape.value(maker.first_output + o).buffer != v.buffer) ++o;
  const Value& output = tape.value(maker.first_output + (o < maker.output_count ? o : 0));
  const std::string name = o == 0 ? fmt::format("%{}", v.node) : fmt::format("%{}.{}", v.node, o);
  if (o == maker.output_count) return fmt::format("%{}", v.node);
  // Values that were joined (GatheredRows) have the node of the one that was made first.
  const Index rows = output.shape.rows(),
              bytes = rows * output.stride * static_cast<Index>(size_of(tape.dtype()));
  if (v.data < output.data || v.data >= output.data + bytes || v.shape.size() > output.shape.size())
    return name + " and others";
  return name + slice(tape, output, v);
}

bool overwrites_input(const Tape& tape, const Node& node, const Value& output) {
  return std::ranges::any_of(std::span(node.inputs, node.input_count),
                             [&](std::uint32_t id) { return tape.value(id).data == output.data; });
}

std::size_t bytes_of(const Tape& tape, const Node& node) {
  std::size_t bytes = 0;
  for (std::uint32_t o = 0; o < node.output_count; ++o) {
    const Value& output = tape.value(node.first_output + o);
    if (!overwrites_input(tape, node, output))
      bytes += static_cast<std::size_t>(output.shape.size()) * size_of(tape.dtype());
  }
  return bytes;
}

}  // namespace

std::string source_line(autograd::SourceLocation location) {
  const std::string_view file = location.file;
  return fmt::format("{}:{}", file.substr(file.find_last_of("/\\") + 1), location.line);
}

std::string source_line(const Tape& tape, const Node& node) {
  const autograd::SourceLocation caller =
      node.scope == kNone ? autograd::SourceLocation{} : tape.scopes()[node.scope].location;
  const std::string line = source_line(node.location), called = source_line(caller);
  return caller.line == 0 || called == line ? line : line + " from " + called;
}

std::string leaf_name(const Tape& tape, const autograd::Buffer& leaf) {
  if (const auto* parameter = tape.records().parameter(leaf)) return fmt::format("'{}'", parameter->name);
  return leaf.keeps_gradient ? "a variable" : "a constant";
}

std::string Line::shape_text() const {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " ") + to_string(shape);
  return text;
}

std::vector<std::string> Line::some_inputs() const {
  constexpr std::size_t kShown = 8;
  if (inputs.size() <= kShown) return inputs;
  std::vector<std::string> some(inputs.begin(), inputs.begin() + kShown);
  some.push_back(fmt::format("and {} more", inputs.size() - kShown));
  return some;
}

Line line_of(const Tape& tape, std::uint32_t index) {
  const Node& node = tape.nodes()[index];
  Line line;
  line.node = index;
  line.op = node.table->name(node.op);
  line.module = tape.scope_path(node.scope);
  line.step = node.step;
  line.wants_gradient = node.wants_gradient;
  line.location = source_line(tape, node);
  line.bytes = bytes_of(tape, node);
  for (std::uint32_t o = 0; o < node.output_count; ++o)
    line.shapes.push_back(tape.value(node.first_output + o).shape);
  for (std::uint32_t i = 0; i < node.input_count; ++i)
    line.inputs.push_back(input_name(tape, node.inputs[i]));
  return line;
}

Listing::Listing(const Tape& tape) : Listing(tape, tape.pass()) {
  for (std::uint32_t n = 0; n < tape.nodes().size(); ++n) nodes_.push_back(n);
}

// A frame may have taken nodes back.
const Node& Listing::node(std::uint32_t n) const {
  if (pass_ != tape_->pass() || n >= tape_->nodes().size())
    autograd::fail("listing", "a tape came that was cleared; needed the pass that was listed");
  return tape_->nodes()[n];
}

Line Listing::line(std::uint32_t n) const {
  (void)node(n);
  return line_of(*tape_, n);
}

Listing Listing::in(std::string_view module) const {
  return filtered([&](std::uint32_t n) {
    const std::string path = tape_->scope_path(node(n).scope);
    return module.empty() ||
           (path.starts_with(module) && (path.size() == module.size() || path[module.size()] == '.'));
  });
}
Listing Listing::of_op(std::string_view op) const {
  return filtered([&](std::uint32_t n) { return node(n).table->name(node(n).op) == op; });
}
Listing Listing::at_steps(std::int32_t first, std::int32_t last) const {
  return filtered([&](std::uint32_t n) { return node(n).step >= first && node(n).step <= last; });
}
Listing Listing::of_size(std::size_t least_bytes) const {
  return filtered([&](std::uint32_t n) { return bytes_of(*tape_, node(n)) >= least_bytes; });
}

std::string to_string(const Listing& listing) {
  constexpr std::size_t kColumns = 9;
  using Row = std::array<std::string, kColumns>;
  std::vector<Row> rows{{"node", "op", "shape", "inputs", "module", "step", "bytes", "gradient", "line"}};
  for (const Line& l : listing) {
    rows.push_back({std::to_string(l.node), l.op, l.shape_text(),
                    fmt::format("{}", fmt::join(l.some_inputs(), ", ")), l.module,
                    l.step < 0 ? "-" : std::to_string(l.step), std::to_string(l.bytes),
                    l.wants_gradient ? "yes" : "no", l.location});
  }
  std::array<std::size_t, kColumns> width{};
  for (const Row& row : rows)
    for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < kColumns; ++c) {
      const bool is_number = c == 0 || c == 5 || c == 6;
      if (c > 0) line += "  ";
      line += is_number ? fmt::format("{:>{}}", row[c], width[c]) : fmt::format("{:<{}}", row[c], width[c]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::ostream& operator<<(std::ostream& out, const Listing& listing) { return out << to_string(listing); }

void print(const Tape& tape) { std::cout << Listing(tape); }

}  // namespace unroll::inspect
