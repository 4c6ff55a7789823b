#include "autograd/inspect/listing.h"

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

std::string input_name(const Tape& tape, std::uint32_t id) {
  const Value& v = tape.value(id);
  if (v.node == kNone) return leaf_name(tape.root(v));
  const Node& maker = tape.nodes()[v.node];
  for (std::uint32_t o = 1; o < maker.output_count; ++o)
    if (v.root == tape.value(maker.first_output + o).root) return fmt::format("%{}.{}", v.node, o);
  return fmt::format("%{}", v.node);
}

bool overwrites_input(const Tape& tape, const Node& node, const Value& output) {
  return std::ranges::any_of(std::span(node.inputs, node.input_count),
                             [&](std::uint32_t id) { return tape.value(id).data == output.data; });
}

}  // namespace

std::string line_of(autograd::Where where) {
  const std::string_view file = where.file;
  return fmt::format("{}:{}", file.substr(file.find_last_of("/\\") + 1), where.line);
}

std::string line_of(const Tape& tape, const Node& node) {
  const autograd::Where caller = node.scope == kNone ? autograd::Where{} : tape.scopes()[node.scope].where;
  const std::string line = line_of(node.where), called = line_of(caller);
  return caller.line == 0 || called == line ? line : line + " from " + called;
}

std::string leaf_name(const autograd::Root& leaf) {
  if (leaf.parameter) return fmt::format("'{}'", leaf.parameter->name);
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
  line.where = line_of(tape, node);
  for (std::uint32_t o = 0; o < node.output_count; ++o) {
    const Value& output = tape.value(node.first_output + o);
    line.shapes.push_back(output.shape);
    if (!overwrites_input(tape, node, output))
      line.bytes += static_cast<std::size_t>(output.shape.size()) * size_of(tape.dtype());
  }
  for (std::uint32_t i = 0; i < node.input_count; ++i)
    line.inputs.push_back(input_name(tape, node.inputs[i]));
  return line;
}

Listing::Listing(const Tape& tape) {
  for (std::uint32_t n = 0; n < tape.nodes().size(); ++n) lines_.push_back(line_of(tape, n));
}

Listing Listing::in(std::string_view module) const {
  return where([&](const Line& l) {
    return module.empty() || (l.module.starts_with(module) &&
                              (l.module.size() == module.size() || l.module[module.size()] == '.'));
  });
}
Listing Listing::of_op(std::string_view op) const {
  return where([&](const Line& l) { return l.op == op; });
}
Listing Listing::at_steps(std::int32_t first, std::int32_t last) const {
  return where([&](const Line& l) { return l.step >= first && l.step <= last; });
}
Listing Listing::of_size(std::size_t least_bytes) const {
  return where([&](const Line& l) { return l.bytes >= least_bytes; });
}

std::string to_string(const Listing& listing) {
  constexpr std::size_t kColumns = 9;
  using Row = std::array<std::string, kColumns>;
  std::vector<Row> rows{{"node", "op", "shape", "inputs", "module", "step", "bytes", "gradient", "line"}};
  for (const Line& l : listing) {
    rows.push_back({std::to_string(l.node), l.op, l.shape_text(),
                    fmt::format("{}", fmt::join(l.some_inputs(), ", ")), l.module,
                    l.step < 0 ? "-" : std::to_string(l.step), std::to_string(l.bytes),
                    l.wants_gradient ? "yes" : "no", l.where});
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
